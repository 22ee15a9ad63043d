package main

import (
	"context"
	"flag"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
)

var ingestFor = flag.Duration("ingest", 0, "how long each round of TestIngest lasts; 0 leaves it out")

// connections is how many callbacks are under way at the same time.
const connections = 32

// TestIngest compares callbacks with bare publishing on a stream like that of notices, in turn on
// the same server, which syncs everything; then it sends callbacks at 500 a second and at shares
// of the full rate, however slow the answers are. It logs times and ratios, and fails only for a wrong answer.
func TestIngest(t *testing.T) {
	if *ingestFor == 0 {
		t.Skip("-ingest is not set")
	}
	h := newHarness(t, false)
	h.install()
	bare, taken := h.barePublisher("BARE"), h.barePublisher("TAKEN")
	h.takeAndAcknowledge("TAKEN")
	var rates, ratios, taking []float64
	var callbacks float64
	var spent [2]time.Duration // of the service and the NATS server
	for range 5 {
		published := h.asFastAsPossible(bare)
		while := h.asFastAsPossible(taken)
		spent[0], spent[1] = spent[0]-h.serve.processor(), spent[1]-h.nats.processor()
		answered := h.asFastAsPossible(h.callback)
		spent[0], spent[1] = spent[0]+h.serve.processor(), spent[1]+h.nats.processor()
		callbacks += answered * ingestFor.Seconds()
		rates, ratios, taking = append(rates, answered), append(ratios, answered/published), append(taking, answered/while)
		t.Logf("%d at a time: %.0f callbacks answered a second, %.0f messages published, ratio %.2f; %.0f while somebody acknowledged them, ratio %.2f",
			connections, answered, published, answered/published, while, answered/while)
	}
	for _, figures := range [][]float64{rates, ratios, taking} {
		slices.Sort(figures)
	}
	t.Logf("medians: %.0f callbacks a second; %.2f (%.2f to %.2f) of bare publishing, %.2f (%.2f to %.2f) of publishing that somebody acknowledges, as leadsync does",
		rates[2], ratios[2], ratios[0], ratios[4], taking[2], taking[0], taking[4])
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / callbacks }
	t.Logf("a callback, its lead's read, row and topic took %.2f ms of the service's processor and %.2f ms of the NATS server's", each(spent[0]), each(spent[1]))
	*speedFor = *ingestFor
	full := rates[2]
	for _, rate := range []int{500, int(.3 * full), int(.5 * full), int(.7 * full), int(.9 * full)} {
		l := h.sendCallbacks(rate, h.genuineCallback)
		slices.Sort(l.took)
		at := func(share float64) time.Duration {
			return l.took[int(share*float64(len(l.took)-1))].Round(100 * time.Microsecond)
		}
		t.Logf("at %.1f of that, %d a second: p50 %s, p99 %s, p99.9 %s", float64(rate)/full, rate, at(.5), at(.99), at(.999))
		h.wantAllAnswered("at "+strconv.Itoa(rate)+" a second", l)
	}
}

// asFastAsPossible does something for a while, many at a time, and returns how often in a second.
func (h *harness) asFastAsPossible(do func(n int) error) float64 {
	h.t.Helper()
	begun := time.Now()
	var done atomic.Int64
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			for time.Since(begun) < *ingestFor {
				if err := do(int(done.Add(1))); err != nil {
					h.t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(begun).Seconds()
}

// ingestClient keeps its connections.
var ingestClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}, Timeout: 20 * time.Second}

func (h *harness) callback(n int) error {
	response, err := ingestClient.Post(h.url+"/bitrix24/events", "application/x-www-form-urlencoded", strings.NewReader(h.genuineCallback(n)))
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return response.Body.Close()
}

// barePublisher publishes messages as large as notices on a stream like theirs, and waits for each
// as a callback does.
func (h *harness) barePublisher(name string) func(n int) error {
	h.t.Helper()
	js, ctx := h.ingestStream()
	subject := strings.ToLower(name) + "."
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{subject + "*"}, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, MaxMsgsPerSubject: 1,
	}); err != nil {
		h.t.Fatal(err)
	}
	body := []byte(strings.Repeat("x", 160))
	return func(n int) error {
		_, err := js.Publish(ctx, subject+strconv.Itoa(n%5000), body)
		return err
	}
}

// takeAndAcknowledge does with a stream's messages what leadsync does with notices, and nothing
// else: the server takes each away, and writes that to its disk.
func (h *harness) takeAndAcknowledge(name string) {
	h.t.Helper()
	js, ctx := h.ingestStream()
	consumer, err := js.CreateConsumer(ctx, name, jetstream.ConsumerConfig{Durable: "taker", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		h.t.Fatal(err)
	}
	taking, err := consumer.Consume(func(msg jetstream.Msg) { _ = msg.Ack() })
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(taking.Stop)
}

// ingestStream opens JetStream on a connection of its own.
func (h *harness) ingestStream() (jetstream.JetStream, context.Context) {
	h.t.Helper()
	nc, err := events.Connect(events.Server{URL: h.natsAt})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(nc.Close)
	h.t.Cleanup(ingestClient.CloseIdleConnections)
	js, err := jetstream.New(nc)
	if err != nil {
		h.t.Fatal(err)
	}
	return js, context.WithoutCancel(h.t.Context())
}
