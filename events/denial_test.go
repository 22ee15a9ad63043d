package events_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
)

// limited is a server on which our user may do what perms say; another user there may do everything.
func limited(t *testing.T, perms *server.Permissions) (ours, theirs events.Server) {
	t.Helper()
	opts := eventstest.Options(t)
	opts.Users = []*server.User{{Username: "leadsync", Password: "secret", Permissions: perms}, {Username: "other", Password: "secret"}}
	url := eventstest.Run(t, opts)[0].ClientURL()
	return events.Server{URL: url, User: "leadsync", Password: "secret"}, events.Server{URL: url, User: "other", Password: "secret"}
}

func busOf(t *testing.T, s events.Server) *events.Bus {
	t.Helper()
	nc, err := events.Connect(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	bus, err := events.Open(nc, "")
	if err != nil {
		t.Fatal(err)
	}
	return bus
}

// A server that refuses a message answers nothing, so what waits for the answer runs out of time: the
// error names what was refused, and so does the bus.
func TestWhatTheServerDoesNotAllowIsNamed(t *testing.T) {
	deny := func(subjects ...string) *server.Permissions {
		return &server.Permissions{Publish: &server.SubjectPermission{Deny: subjects}}
	}
	lead := change(1, 1, leads.Added)
	for _, test := range []struct {
		name, want string
		perms      *server.Permissions
		prepared   bool // streams are there already
		do         func(ctx context.Context, bus *events.Bus) error
	}{
		{"to make streams", "$JS.API.STREAM.CREATE.BITRIX24_NOTICES", deny("$JS.API.STREAM.CREATE.>"), false, func(context.Context, *events.Bus) error { return nil }},
		{"to hear answers", "_INBOX.", &server.Permissions{Subscribe: &server.SubjectPermission{Deny: []string{"_INBOX.>"}}}, false, func(context.Context, *events.Bus) error { return nil }},
		{"to take leases", "$KV.LEADSYNC_LEASES.relay", deny("$KV.>"), true, func(ctx context.Context, bus *events.Bus) error {
			_, err := events.TakeLease(ctx, bus, "relay", "me")
			return err
		}},
		{"to keep notices", events.NoticeSubject(ref(7)), deny("bitrix24.>"), true, func(ctx context.Context, bus *events.Bus) error {
			return events.PublishNotice(ctx, bus, events.Notice{Ref: ref(7)})
		}},
		{"to make consumers", "$JS.API.CONSUMER.INFO.BITRIX24_NOTICES", deny("$JS.API.CONSUMER.>"), true, func(ctx context.Context, bus *events.Bus) error {
			_, err := events.Notices(ctx, bus, member)
			return err
		}},
		{"to publish leads", events.LeadSubject(ref(1)), deny("leads.>"), true, func(ctx context.Context, bus *events.Bus) error {
			topic, err := events.OpenTopic(ctx, bus)
			if err == nil {
				_, err = topic.Publish(ctx, lead)
			}
			return err
		}},
		{"to read the topic", "$JS.API.DIRECT.GET.LEADS", deny("$JS.API.DIRECT.GET.>"), true, func(ctx context.Context, bus *events.Bus) error {
			topic, err := events.OpenTopic(ctx, bus)
			if err == nil {
				_, _, err = topic.Newest(ctx, member)
			}
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := limited(t, test.perms)
			if test.prepared {
				setUp(t, busOf(t, theirs), 1)
			}
			bus := busOf(t, ours)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			err := events.Setup(ctx, bus, 1)
			if err == nil && test.prepared {
				err = test.do(ctx, bus)
			}
			var denied *events.DeniedError
			if !errors.As(err, &denied) || !strings.Contains(err.Error(), test.want) || !events.Unavailable(err) {
				t.Errorf("%v, want %s in it", err, test.want)
			}
			if problem := bus.Problem(); problem == nil || !strings.Contains(problem.Error(), test.want) {
				t.Errorf("the problem is %v, want %s in it", problem, test.want)
			}
		})
	}
}
