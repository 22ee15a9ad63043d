package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"leadsync/events"
	"leadsync/guide"
)

// NATS is how the check of NATS asks.
type NATS struct {
	Embedded bool
	Wanted   int // LEADSYNC_NATS_REPLICAS; 0 where it is not set
	// State looks at the server and its streams, and changes nothing.
	State func(ctx context.Context) (events.State, error)
	// Idle tells that the server is embedded in a service that does not run.
	Idle func(error) bool
}

// CheckNATS looks at the server's version, at the streams, whose they are, and how safely they
// are stored.
func CheckNATS(n NATS) Check {
	return check{"nats", func(ctx context.Context) []Finding {
		var state events.State
		err := ask(ctx, "NATS", limit, func(ctx context.Context) (err error) {
			state, err = n.State(ctx)
			return err
		})
		switch foreign := (*events.ForeignError)(nil); {
		case err == nil:
		case n.Idle(err):
			return []Finding{ok("the embedded server starts with `leadsync serve`, which does not run now")}
		case errors.As(err, &foreign):
			return []Finding{fault(guide.Stream, fmt.Sprintf("the stream %s (subjects: %s) was not made by leadsync and is in the way of leadsync's stream %s", foreign.Stream, strings.Join(foreign.Subjects, ", "), foreign.Needed), "callbacks are kept in the spool until then",
				"set LEADSYNC_NATS_PREFIX, so that leadsync uses other names, or give leadsync an account of its own, or remove that stream if nobody needs it")}
		case errors.Is(err, events.ErrNoStreams):
			return []Finding{warning(guide.NATSDown, events.ErrNoStreams.Error(), "callbacks are kept in the spool until then", "start `leadsync serve`, or run leadsync migrate").because(err)}
		case n.Embedded:
			return []Finding{fault(guide.NATSDown, "the embedded server does not answer", "callbacks are kept in the spool until it answers", "the service runs: its log and /readyz say what its embedded server waits for").because(err)}
		case events.Refused(err):
			return []Finding{fault(guide.NATSLogIn, "the server does not let leadsync in", "callbacks are kept in the spool until it lets leadsync in", "correct the log-in: LEADSYNC_NATS_TOKEN, LEADSYNC_NATS_USER, LEADSYNC_NATS_CREDS or LEADSYNC_NATS_NKEY").because(err)}
		case errors.As(err, new(*events.DeniedError)):
			return []Finding{fault(guide.NATSLogIn, "the server does not let leadsync's user do what it needs", "what leadsync cannot do waits", "give leadsync an account of its own and all rights in it, as deployments/nats/nats.conf does").because(err)}
		case events.WithoutJetStream(err):
			return []Finding{fault(guide.NATSLogIn, "the server is there, but its JetStream does not answer", "callbacks are kept in the spool until it answers", "switch JetStream on in the server's configuration, and for leadsync's account; a cluster also needs most of its servers").because(err)}
		case guide.Of(err) == guide.Settings:
			return []Finding{fault(guide.Settings, "a file of the log-in to NATS cannot be used", "callbacks are kept in the spool until it can", "correct the setting that the error names").because(err)}
		case guide.Of(err) == guide.NATSLogIn:
			return []Finding{fault(guide.NATSLogIn, "the server answers, but cannot be used", "callbacks are kept in the spool until then", "correct the server's configuration").because(err)}
		default:
			return []Finding{fault(guide.NATSDown, "the server does not answer", "callbacks are kept in the spool until it answers", "start the server; check LEADSYNC_NATS_URL, the log-in and the network").because(err)}
		}
		found := []Finding{version(state.Version), ok(fmt.Sprintf("%d streams, made by leadsync", len(state.Streams)))}
		found = append(found, n.replicas(state)...)
		if n.Embedded {
			return append(found, ok("every message is on disk before it is confirmed (sync_interval: always)"))
		}
		unsaid := unknown("whether the server writes every message to disk before it confirms it: it does not say")
		unsaid.Means, unsaid.Do = "by default a power cut loses the last two minutes", "look for `sync_interval: always` in the jetstream block of the configuration of each server"
		return append(found, unsaid)
	}}
}

// oldest is the oldest version of the server that leadsync's streams need.
var oldest = [2]int{2, 12}

func version(text string) Finding {
	var major, minor int
	if _, err := fmt.Sscanf(text, "%d.%d", &major, &minor); err != nil {
		return unknown("the server's version: " + text)
	}
	if major < oldest[0] || major == oldest[0] && minor < oldest[1] {
		return fault(guide.NATSLogIn, "the server's version is "+text, "leadsync publishes in atomic batches, which it does not know", fmt.Sprintf("use nats-server %d.%d or newer", oldest[0], oldest[1]))
	}
	return ok("version " + text)
}

func (n NATS) replicas(state events.State) (found []Finding) {
	var single, lagging, others []string
	for _, s := range state.Streams {
		if n.Wanted > 0 && s.Replicas != n.Wanted {
			others = append(others, fmt.Sprintf("%s (%d)", s.Name, s.Replicas))
		}
		if s.Replicas == 1 {
			single = append(single, s.Name)
		}
		if s.Lagging > 0 {
			lagging = append(lagging, s.Name)
		}
	}
	switch {
	case len(others) > 0:
		found = append(found, warning(guide.Copies, fmt.Sprintf("not %d copies, as LEADSYNC_NATS_REPLICAS wants: %s", n.Wanted, strings.Join(others, ", ")), "the loss of a server may lose what is in them, or stop them",
			"run leadsync migrate or restart the service, which set the copies; a single server has one"))
	case state.Cluster != "" && len(single) > 0:
		found = append(found, warning(guide.Copies, "one copy only in the cluster "+state.Cluster+": "+strings.Join(single, ", "), "the loss of one server loses what only it had", "set LEADSYNC_NATS_REPLICAS=3 and restart"))
	case len(state.Streams) > 0:
		found = append(found, ok(fmt.Sprintf("copies of each stream: %d", state.Streams[0].Replicas)))
	}
	if len(lagging) > 0 {
		found = append(found, warning(guide.Copies, "copies that are behind or offline: "+strings.Join(lagging, ", "), "another failure may stop the streams", "look at the servers of the cluster"))
	}
	return found
}
