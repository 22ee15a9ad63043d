package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// answerLimit is how long the server may take for what the gate asks it.
const answerLimit = 10 * time.Second

// mostConsumers is how many consumers a subscriber may have on a stream at the same time.
const mostConsumers = 64

// mostPulls is how many requests for messages may wait at a consumer: the server's own default, which a
// consumer may raise without limit. Each takes memory of the server that all use.
const mostPulls = 512

// consumer is a request about consumers.
func (g *Gate) consumer(ctx context.Context, r request) error {
	w := r.words
	mine := func(name string) bool { return owns(r.subscriber, name) }
	switch {
	case len(w) >= 2 && w[0] == "CREATE":
		return g.create(ctx, r, w[1])
	case len(w) == 4 && w[0] == "DURABLE" && w[1] == "CREATE":
		return g.create(ctx, r, w[2])
	case len(w) == 2 && w[0] == "NAMES" && g.readable(w[1]):
		return g.names(ctx, r, api("CONSUMER.NAMES", w[1]), "consumers", mine)
	case len(w) == 2 && w[0] == "LIST" && g.readable(w[1]):
		return g.list(ctx, r, api("CONSUMER.LIST", w[1]), "consumers", mine)
	case len(w) == 3 && g.readable(w[1]) && (w[0] == "INFO" || w[0] == "DELETE" || w[0] == "PAUSE" || w[0] == "RESET"):
		return g.forward(ctx, r, api("CONSUMER", w[0], w[1], ownName(r.subscriber, w[2])), r.msg.Data)
	default:
		return errors.New("leadsync does not let subscribers do that")
	}
}

// owns reports whether a consumer is the subscriber's.
func owns(subscriber, name string) bool {
	return name == subscriber || strings.HasPrefix(name, subscriber+"-")
}

// ownName is the name that a subscriber's consumer really has.
func ownName(subscriber, name string) string {
	if owns(subscriber, name) {
		return name
	}
	return subscriber + "-" + name
}

// creation is the body of a request for a consumer. What is forwarded is made from it: the
// server reads keys without regard to case, and so does this, so that nothing passes which was
// not looked at.
type creation struct {
	Stream   string                    `json:"stream_name"`
	Config   *jetstream.ConsumerConfig `json:"config"`
	Action   string                    `json:"action,omitempty"`
	Pedantic bool                      `json:"pedantic,omitempty"`
}

// create makes or changes a consumer.
func (g *Gate) create(ctx context.Context, r request, stream string) error {
	var body creation
	if err := json.Unmarshal(r.msg.Data, &body); err != nil || body.Config == nil {
		return errors.New("the request has no configuration of a consumer")
	}
	config := body.Config
	name := config.Name
	switch {
	case !g.readable(stream):
		return fmt.Errorf("subscribers cannot read stream %s", stream)
	case config.DeliverSubject != "" || config.DeliverGroup != "":
		return errors.New("push consumers cannot reach subscribers, use a pull consumer; newer clients use no others")
	case config.MaxWaiting > mostPulls:
		return fmt.Errorf("a consumer may have max_waiting up to %d, not %d", mostPulls, config.MaxWaiting)
	case config.Durable != "" && !owns(r.subscriber, config.Durable):
		return fmt.Errorf("the durable consumers of subscriber %[1]s are called %[1]s or %[1]s-<anything>; %[2]s is not", r.subscriber, config.Durable)
	case config.Durable != "":
		name = config.Durable
	case name == "":
		name = nuid.Next()
	}
	config.Name, config.FlowControl, config.IdleHeartbeat = ownName(r.subscriber, name), false, 0 // the latter two are for push consumers
	if err := g.room(ctx, r.subscriber, stream, config.Name); err != nil {
		return err
	}
	body.Stream = stream
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	subject := api("CONSUMER.CREATE", stream, config.Name)
	if config.FilterSubject != "" {
		subject += "." + config.FilterSubject
	}
	return g.forward(ctx, r, subject, data)
}

// room reports whether the subscriber may have one consumer more.
func (g *Gate) room(ctx context.Context, subscriber, stream, name string) error {
	count := 0
	_, err := g.pages(ctx, api("CONSUMER.NAMES", stream), "consumers", map[string]any{}, func(item json.RawMessage) {
		var there string
		if json.Unmarshal(item, &there) == nil && owns(subscriber, there) && there != name {
			count++
		}
	})
	if err != nil {
		return err
	}
	if count >= mostConsumers {
		return fmt.Errorf("subscriber %s has %d consumers already, the most that it may have; delete one", subscriber, count)
	}
	return nil
}
