package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nuid"
)

// answerLimit is how long the server may take for what the gate asks it.
const answerLimit = 10 * time.Second

// mostConsumers is how many consumers a subscriber may have on a stream at the same time.
const mostConsumers = 64

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

// create makes or changes a consumer.
func (g *Gate) create(ctx context.Context, r request, stream string) error {
	var body map[string]json.RawMessage
	var config map[string]any
	if json.Unmarshal(r.msg.Data, &body) != nil || json.Unmarshal(body["config"], &config) != nil || config == nil {
		return errors.New("the request has no configuration of a consumer")
	}
	text := func(key string) string { s, _ := config[key].(string); return s }
	name, durable, filter := text("name"), text("durable_name"), text("filter_subject")
	switch {
	case !g.readable(stream):
		return fmt.Errorf("subscribers cannot read stream %s", stream)
	case text("deliver_subject") != "":
		return errors.New("push consumers cannot reach subscribers, use a pull consumer; newer clients use no others")
	case durable != "" && !owns(r.subscriber, durable):
		return fmt.Errorf("the durable consumers of subscriber %[1]s are called %[1]s or %[1]s-<anything>; %[2]s is not", r.subscriber, durable)
	case durable != "":
		name = durable
	case name == "":
		name = nuid.Next()
	}
	name = ownName(r.subscriber, name)
	if err := g.room(ctx, r.subscriber, stream, name); err != nil {
		return err
	}
	config["name"] = name
	encoded, err := json.Marshal(config)
	if err != nil {
		return err
	}
	body["config"] = encoded
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	subject := api("CONSUMER.CREATE", stream, name)
	if filter != "" {
		subject += "." + filter
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
