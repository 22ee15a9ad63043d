package events_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/events/eventstest"
)

func TestUnavailable(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("something else"), false},
		{context.Canceled, false},
		{jetstream.ErrStreamNotFound, false},
		{nats.ErrAuthorization, true},
		{&jetstream.APIError{Code: 503, ErrorCode: 10008}, true},
		{&jetstream.APIError{Code: 409, ErrorCode: 10158}, true},
		{&jetstream.APIError{Code: 500, ErrorCode: 10009}, true},
		{&jetstream.APIError{Code: 400, ErrorCode: 10005}, true}, // a server is down
		{&jetstream.APIError{Code: 500, ErrorCode: 10119}, true},
		{&jetstream.APIError{Code: 500, ErrorCode: 10047}, false}, // the disk is full
		{&jetstream.APIError{Code: 400, ErrorCode: 10065}, false},
		{context.DeadlineExceeded, true},
		{nats.ErrNoResponders, true},
		{nats.ErrConnectionReconnecting, true},
		{nats.ErrReconnectBufExceeded, true},
		{nats.ErrTimeout, true},
		{nats.ErrDisconnected, true},
		{jetstream.ErrJetStreamNotEnabled, true},
	} {
		t.Run(fmt.Sprint(test.err), func(t *testing.T) {
			if got := events.Unavailable(test.err); got != test.want {
				t.Errorf("%v", got)
			}
			if got := events.Unavailable(fmt.Errorf("set up: %w", test.err)); test.err != nil && got != test.want {
				t.Errorf("wrapped: %v", got)
			}
		})
	}
}

// What a server that went away makes of a set-up is unavailable, whatever the moment.
func TestServerThatIsGoneIsUnavailable(t *testing.T) {
	server, err := broker.Start(broker.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", ServiceToken: "service"})
	if err != nil {
		t.Fatal(err)
	}
	bus := eventstest.Connect(t, func() (*nats.Conn, error) { return events.Connect(events.Server{URL: server.URL(), Token: "service"}) })
	server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := events.Setup(ctx, bus, 1); !events.Unavailable(err) {
		t.Errorf("%v", err)
	}
}

func TestPasswordsAreNotInAddresses(t *testing.T) {
	for given, want := range map[string]string{
		"nats://127.0.0.1:4222":                            "nats://127.0.0.1:4222",
		"nats://u:hunter2@h:4222":                          "nats://h:4222",
		"tls://u:hun@ter2@h:4222,nats://hunter2@i:4222":    "tls://h:4222,nats://i:4222",
		"nats://u:hunter2@@h":                              "nats://h",
		"nats://u:12/hunter2@h, nats://u:1#hunter2@h:4222": "nats://h, nats://h:4222",
	} {
		if got := events.WithoutPassword(given); got != want {
			t.Errorf("%s: %s, want %s", given, got, want)
		}
	}
}
