package gate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/events/eventstest"
)

// attacker is a subscriber who tries to do harm.
type attacker struct {
	t    *testing.T
	nc   *nats.Conn
	lead string // the subject of a lead that is on the topic
}

// send publishes with any reply subject and headers, and ignores what comes of it.
func (a attacker) send(subject, reply, body string, headers ...string) {
	a.t.Helper()
	msg := nats.NewMsg(subject)
	msg.Reply, msg.Data = reply, []byte(body)
	for i := 0; i+1 < len(headers); i += 2 {
		msg.Header.Set(headers[i], headers[i+1])
	}
	if err := a.nc.PublishMsg(msg); err != nil {
		a.t.Logf("%s: %v", subject, err)
	}
}

// victims are subjects on which a message would do harm.
func (a attacker) victims() []string {
	return []string{
		a.lead, "leads." + member + ".99", "bitrix24.notices." + member + ".1", "bitrix24.portals." + member + ".rebind",
		"$KV.LEADSYNC_LEASES.portal-" + member, "leadsync.dead." + member + ".1", "leadsync.runs." + member,
		"$JS.API.STREAM.PURGE.LEADS", "$JS.API.STREAM.DELETE.LEADS", "$JS.API.CONSUMER.DELETE.LEADS.billing-orders",
		"$JS.API.CONSUMER.MSG.NEXT.LEADS.billing-orders", "$JS.API.CONSUMER.DELETE.BITRIX24_NOTICES.notices-" + member,
		"$JS.ACK.LEADS.billing-orders.1.1.1.1790000000000000000.0", "$JS.ACK.BITRIX24_NOTICES.notices-" + member + ".1.1.1.1790000000000000000.0",
		"leadsync.own.next.LEADS.bi-.billing-orders", "leadsync.own.ack.LEADS.bi-.billing-orders.1.1.1.1790000000000000000.0",
		"leadsync.gate.billing.consumer.DELETE.LEADS.billing-orders", "$SYS.REQ.SERVER.PING",
	}
}

// attacks are what has been thought of; none may change anything.
func (a attacker) attacks() map[string]func() {
	const read = `{"last_by_subj":"leads.` + member + `.1"}`
	apis := map[string]string{
		"$JS.API.INFO": "", "$JS.API.STREAM.INFO.LEADS": "", "$JS.API.STREAM.NAMES": "", "$JS.API.STREAM.LIST": "",
		"$JS.API.STREAM.MSG.GET.LEADS": read, "$JS.API.DIRECT.GET.LEADS": read, "$JS.API.DIRECT.GET.LEADS.leads." + member + ".77": "",
		"$JS.API.DIRECT.GET.LEADS.": `{"multi_last":["leads.>"]}`, "$JS.API.CONSUMER.NAMES.LEADS": "", "$JS.API.CONSUMER.LIST.LEADS": "",
		"$JS.API.CONSUMER.MSG.NEXT.LEADS.bi-own": `{"batch":5}`,
		"$JS.API.CONSUMER.CREATE.LEADS":          `{"stream_name":"LEADS","config":{"ack_policy":"none"}}`,
	}
	deliver := func(subject string) string {
		return fmt.Sprintf(`{"stream_name":"LEADS","config":{"durable_name":"bi-push","name":"bi-push","deliver_subject":%q,"ack_policy":"none"}}`, subject)
	}
	each := func(do func(subject string)) func() {
		return func() {
			for _, subject := range a.victims() {
				do(subject)
			}
		}
	}
	return map[string]func(){
		"replies of the interface onto other subjects": each(func(subject string) {
			for api, body := range apis {
				a.send(api, subject, body)
			}
		}),
		"publish":          each(func(subject string) { a.send(subject, "", `{"event":"rebind"}`) }),
		"publish a +TERM":  each(func(subject string) { a.send(subject, "", "+TERM") }),
		"publish an empty": each(func(subject string) { a.send(subject, "", "") }),
		"publish with a reply": each(func(subject string) {
			a.send(subject, a.lead, `{"batch":5,"no_wait":true}`)
		}),
		"push consumers aimed at subjects": each(func(subject string) {
			a.send("$JS.API.CONSUMER.DURABLE.CREATE.LEADS.bi-push", a.nc.NewInbox(), deliver(subject))
			a.send("$JS.API.CONSUMER.CREATE.LEADS.bi-push", a.nc.NewInbox(), deliver(subject))
		}),
		"push consumers in other words": each(func(subject string) {
			// The server delivers where somebody listens.
			if sub, err := a.nc.SubscribeSync(subject); err == nil {
				defer func() { _ = sub.Unsubscribe() }()
			}
			for i, body := range []string{
				`{"stream_name":"%[3]s","config":{"name":"bi-odd%[1]d","Deliver_Subject":%[2]q,"idle_heartbeat":100000000,"ack_policy":"none"}}`,
				`{"stream_name":"%[3]s","Config":{"deliver_subject":%[2]q,"idle_heartbeat":100000000},"config":{"name":"bi-odd%[1]d","ack_policy":"none"}}`,
				`{"stream_name":"%[3]s","config":{"name":"bi-odd%[1]d","deliver_ſubject":%[2]q,"idle_heartbeat":100000000,"ack_policy":"none"}}`,
			} {
				for _, stream := range []string{"LEADS", "LEADSYNC_STATUS"} {
					name := "bi-odd" + strconv.Itoa(i)
					_, _ = a.nc.Request("$JS.API.CONSUMER.CREATE."+stream+"."+name, fmt.Appendf(nil, body, i, subject, stream), 5*time.Second)
				}
			}
			time.Sleep(250 * time.Millisecond) // for heartbeats: there is no signal that none comes
		}),
		"header tricks": each(func(subject string) {
			a.send(subject, "", "x", "Nats-Rollup", "all", "Nats-Expected-Stream", "LEADS", "Nats-Msg-Id", "1")
			a.send(subject, "", "", "KV-Operation", "PURGE", "Nats-Rollup", "sub", "Nats-TTL", "1s")
		}),
		"traces": each(func(subject string) {
			for api, body := range apis {
				a.send(api, a.nc.NewInbox(), body, "Nats-Trace-Dest", subject)
				a.send(api, a.nc.NewInbox(), body, "Nats-Trace-Dest", subject, "Nats-Trace-Only", "true")
				a.send(api, subject, body, "Nats-Trace-Dest", subject, "Nats-Trace-Origin-Account", "LEADSYNC")
				a.send(api, a.nc.NewInbox(), body, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Nats-Trace-Dest", subject)
			}
		}),
		"schedules and counters": each(func(subject string) {
			a.send(subject, "", "x", "Nats-Schedule", "@at 2026-11-28T00:00:00Z", "Nats-Schedule-Target", a.lead)
			a.send(subject, "", "", "Nats-Incr", "+1")
			a.send(subject, "", "x", "Nats-Batch-Id", "b1", "Nats-Batch-Sequence", "1", "Nats-Batch-Commit", "1")
		}),
		"changes of streams": func() {
			for _, stream := range []string{"LEADS", "BITRIX24_NOTICES", "KV_LEADSYNC_LEASES", "LEADSYNC_DEAD"} {
				for _, verb := range []string{"PURGE", "DELETE", "SNAPSHOT", "RESTORE", "PEER.REMOVE", "LEADER.STEPDOWN", "MSG.DELETE", "UPDATE"} {
					a.send("$JS.API.STREAM."+verb+"."+stream, a.nc.NewInbox(), `{"name":"`+stream+`","seq":1,"subjects":["x"]}`)
				}
			}
		},
		"mirrors and sources": func() {
			a.send("$JS.API.STREAM.CREATE.COPY", a.nc.NewInbox(), `{"name":"COPY","mirror":{"name":"BITRIX24_NOTICES"}}`)
			a.send("$JS.API.STREAM.CREATE.COPY2", a.nc.NewInbox(), `{"name":"COPY2","sources":[{"name":"LEADS"}],"subjects":["bitrix24.>"]}`)
		},
		"consumers of the service": func() {
			name := "BITRIX24_NOTICES.notices-" + member
			for _, verb := range []string{"INFO", "DELETE", "PAUSE", "UNPIN", "RESET", "MSG.NEXT", "LEADER.STEPDOWN", "DURABLE.CREATE", "CREATE"} {
				a.send("$JS.API.CONSUMER."+verb+"."+name, a.nc.NewInbox(), `{"batch":5,"pause_until":"2030-01-01T00:00:00Z"}`)
			}
		},
		"consumers of others": func() {
			for _, verb := range []string{"DELETE", "PAUSE", "UNPIN", "RESET", "MSG.NEXT", "LEADER.STEPDOWN"} {
				a.send("$JS.API.CONSUMER."+verb+".LEADS.billing-orders", a.nc.NewInbox(), `{"batch":5,"pause_until":"2030-01-01T00:00:00Z","group":"x"}`)
			}
		},
		"large payloads": func() {
			large := strings.Repeat("x", 1<<20)
			a.send("$JS.API.CONSUMER.CREATE.LEADS", a.nc.NewInbox(), large)
			a.send("$JS.API.STREAM.NAMES", a.nc.NewInbox(), large)
			a.send(a.lead, "", large)
		},
		"broken requests": func() {
			for _, body := range []string{"{", "[]", `{"config":[]}`, `{"config":{"name":{}}}`, "\x00"} {
				a.send("$JS.API.CONSUMER.CREATE.LEADS.x", a.nc.NewInbox(), body)
				a.send("$JS.API.CONSUMER.CREATE.LEADS..", a.nc.NewInbox(), body)
				a.send("$JS.API.STREAM.NAMES", a.nc.NewInbox(), body)
			}
		},
	}
}

// state is everything in the account of the service.
func state(t *testing.T, bus *events.Bus) map[string]any {
	t.Helper()
	all := map[string]any{}
	js := bus.JetStream()
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		all[info.Config.Name] = info.Config
		var s jetstream.Stream
		eventstest.Insist(t, func(ctx context.Context) (err error) { s, err = js.Stream(ctx, info.Config.Name); return err })
		for seq := max(info.State.FirstSeq, 1); seq <= info.State.LastSeq; seq++ {
			eventstest.Insist(t, func(ctx context.Context) error {
				msg, err := s.GetMsg(ctx, seq)
				if err == nil {
					all[fmt.Sprintf("%s %d %s", info.Config.Name, seq, msg.Subject)] = string(msg.Data)
				}
				if errors.Is(err, jetstream.ErrMsgNotFound) {
					return nil
				}
				return err
			})
		}
		for c := range s.ListConsumers(t.Context()).Info() {
			// Consumers of clients that only read end by themselves when they are not used.
			if owned := c.Name; !strings.HasPrefix(owned, "bi-") && c.Config.InactiveThreshold == 0 {
				all[info.Config.Name+" "+owned] = []any{c.Config, c.Delivered.Consumer, c.AckFloor.Consumer, c.NumAckPending, c.Paused, c.NumWaiting}
			}
		}
	}
	if err := streams.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// harmless lets a subscriber try everything, one after the other, and looks whether anything
// has changed. It must not hear what leadsync sends to itself.
func harmless(t *testing.T, bus *events.Bus, mine, own jetstream.JetStream) {
	t.Helper()
	ctx := t.Context()
	var orders jetstream.Consumer
	eventstest.Insist(t, func(ctx context.Context) (err error) {
		orders, err = mine.CreateConsumer(ctx, events.StreamLeads, jetstream.ConsumerConfig{Durable: "billing-orders", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour})
		return err
	})
	eventstest.Insist(t, func(context.Context) error { _, err := orders.Next(jetstream.FetchMaxWait(time.Minute)); return err })
	var notices jetstream.Consumer
	eventstest.Insist(t, func(ctx context.Context) (err error) { notices, err = events.Notices(ctx, bus, member); return err })
	eventstest.Insist(t, func(ctx context.Context) error {
		_, err := own.CreateConsumer(ctx, events.StreamLeads, jetstream.ConsumerConfig{Durable: "bi-own", AckPolicy: jetstream.AckExplicitPolicy})
		return err
	})
	before := state(t, bus)
	heard, err := own.Conn().SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	a := attacker{t: t, nc: own.Conn(), lead: "leads." + member + ".1"}
	for name, attack := range a.attacks() {
		t.Run(name, func(t *testing.T) {
			attack()
			if err := a.nc.Flush(); err != nil {
				t.Fatal(err)
			}
			settle(t, a.nc, bus)
			if diff := cmp.Diff(before, state(t, bus)); diff != "" {
				t.Errorf("changed (-before +after):\n%s", diff)
				before = state(t, bus)
			}
		})
	}
	batch, err := notices.Fetch(1, jetstream.FetchMaxWait(time.Second))
	if err != nil {
		t.Fatalf("the service's own consumer: %v", err)
	}
	for range batch.Messages() { // until then its goroutine is at work
		continue
	}
	if err := events.PublishNotice(ctx, bus, events.Notice{Ref: leadsRef(7), Event: "SECRET"}); err != nil {
		t.Fatal(err)
	}
	settle(t, a.nc, bus)
	for {
		msg, err := heard.NextMsg(100 * time.Millisecond)
		if err != nil {
			break
		}
		if strings.Contains(string(msg.Data), "SECRET") {
			t.Errorf("heard on %s: %s", msg.Subject, msg.Data)
		}
	}
}

// settle returns when the server has worked off what the attacker has sent: its requests come
// in order, and the gate's answers are given.
func settle(t *testing.T, nc *nats.Conn, bus *events.Bus) {
	t.Helper()
	for range 3 {
		eventstest.Insist(t, func(context.Context) error { // the gate answers still
			_, err := nc.Request("$JS.API.STREAM.INFO.LEADS", nil, 10*time.Second)
			return err
		})
		eventstest.Insist(t, func(ctx context.Context) error { _, err := bus.JetStream().AccountInfo(ctx); return err })
	}
}

// configuration is what operators get.
const configuration = "../../deployments/nats/nats.conf"

func configured(t *testing.T, count int) []*server.Server {
	t.Helper()
	return eventstest.Run(t, eventstest.Several(t, count, func() *server.Options { return eventstest.Configured(t, configuration) })...)
}

func TestSubscribersDoNoHarmEmbedded(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	harmless(t, g.bus, g.connect(billing), g.connect(bi))
}

// The configuration that operators get does the same.
func TestSubscribersDoNoHarmOnAServerOfItsOwn(t *testing.T) {
	t.Parallel()
	harmlessAt(t, configured(t, 1), 1)
}

// On a cluster, too, where any server may be asked.
func TestSubscribersDoNoHarmOnACluster(t *testing.T) {
	t.Parallel()
	harmlessAt(t, configured(t, 3), 3)
}

func harmlessAt(t *testing.T, servers []*server.Server, replicas int) {
	t.Helper()
	bus := eventstest.Connect(t, func() (*nats.Conn, error) {
		return events.Connect(events.Server{URL: servers[0].ClientURL(), User: "leadsync", Password: "password-of-leadsync"})
	})
	serve(t, bus, replicas)
	login := func(name string) jetstream.JetStream {
		return connect(t, servers[len(servers)-1].ClientURL(), nats.UserInfo(name, "password-of-"+name))
	}
	readsLikeAnyClient(t, login("billing"))
	harmless(t, bus, login("billing"), login("bi"))
}

// What stands in deployments is what the embedded server uses, for two subscribers.
func TestConfigurationOfAServerOfItsOwnIsUpToDate(t *testing.T) {
	want, err := brokerAccounts()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(configuration)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(file), want) {
		t.Errorf("deployments/nats/nats.conf does not end with the accounts that the embedded server has:\n%s", want)
	}
}
