package events

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"leadsync/guide"

	"github.com/nats-io/nats.go/jetstream"
)

// The mark of streams that leadsync made. It never changes or empties any other.
const (
	markKey   = "made-by"
	markValue = "leadsync"
)

// codeSubjectsOverlap is the server's refusal of a stream whose subjects another one has.
const codeSubjectsOverlap jetstream.ErrorCode = 10065

// ErrNoStreams says that nobody has set the streams up.
var ErrNoStreams = errors.New("NATS has no streams of leadsync yet")

// ForeignError says that a stream which leadsync did not make has a name or subjects that
// leadsync needs. leadsync leaves it as it is.
type ForeignError struct {
	Stream   string   // its name
	Subjects []string // its subjects
	Needed   string   // what leadsync needs: the name of a stream
}

// Error says what a person can do.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("the NATS stream %s (subjects %s) was not made by leadsync and is in the way of leadsync's stream %s; nothing was changed. "+
		"Choose one: set LEADSYNC_NATS_PREFIX, so that leadsync uses other names and subjects; give leadsync an account of its own, as deployments/nats/nats.conf does; "+
		"or remove that stream, if nobody needs it", e.Stream, strings.Join(e.Subjects, ", "), e.Needed)
}

// Heading is where the error is explained.
func (e *ForeignError) Heading() guide.Heading { return guide.Stream }

// Setup creates the streams and the bucket of leases, or brings them up to date. replicas is
// 1 on a single server, 3 on a cluster; 0 leaves those that exist as they are. A stream in
// the way that leadsync did not make is a ForeignError.
func Setup(ctx context.Context, bus *Bus, replicas int) error {
	return bus.settled(bus.setUp(ctx, replicas))
}

func (b *Bus) setUp(ctx context.Context, replicas int) error {
	if err := b.roomy(); err != nil {
		return err
	}
	for _, cfg := range streams() {
		cfg.Name = b.Name(cfg.Name)
		cfg.Subjects = []string{b.Subject(cfg.Subjects[0])}
		if err := b.setStream(ctx, cfg, replicas); err != nil {
			return err
		}
	}
	return b.setBucket(ctx, replicas)
}

// Look finds the streams without changing anything. It returns ErrNoStreams or a
// ForeignError where they are not as Setup leaves them.
func Look(ctx context.Context, bus *Bus) error {
	return bus.settled(bus.look(ctx))
}

// leastPayload is what a change without its card needs, with the names of all its fields, in bytes.
const leastPayload = 64 << 10

// roomy reports whether the server takes our messages. Cards that it does not take stay out of them.
func (b *Bus) roomy() error {
	if most := b.Conn().MaxPayload(); most > 0 && most < leastPayload { // 0 is no connection
		return guide.At(guide.NATSLogIn, fmt.Errorf("the NATS server takes messages of up to %d bytes, and leadsync needs %d: raise max_payload in the server's configuration, best to 8MB, so that long cards fit", most, leastPayload))
	}
	return nil
}

func (b *Bus) look(ctx context.Context) error {
	if err := b.roomy(); err != nil {
		return err
	}
	names := []string{"KV_" + b.Name(leaseBucket)}
	for _, cfg := range streams() {
		names = append(names, b.Name(cfg.Name))
	}
	var missing error
	for _, name := range names { // a stranger's stream has to go first, also where others of ours are missing
		_, found, err := b.lookUp(ctx, name)
		if err != nil {
			return err
		}
		if !found && missing == nil {
			missing = fmt.Errorf("%w (%s is missing): start `leadsync serve`, or run `leadsync migrate`", ErrNoStreams, name)
		}
	}
	return missing
}

// lookUp looks a stream up. One that leadsync did not make is a ForeignError.
func (b *Bus) lookUp(ctx context.Context, name string) (cfg jetstream.StreamConfig, found bool, err error) {
	s, err := soon(ctx, func(ctx context.Context) (jetstream.Stream, error) { return b.js.Stream(ctx, name) })
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return cfg, false, nil
	case err != nil:
		return cfg, false, fmt.Errorf("look up stream %s: %w", name, b.named(err))
	}
	cfg = s.CachedInfo().Config
	if cfg.Metadata[markKey] != markValue {
		return cfg, true, &ForeignError{Stream: name, Subjects: cfg.Subjects, Needed: name}
	}
	return cfg, true, nil
}

func (b *Bus) setStream(ctx context.Context, cfg jetstream.StreamConfig, replicas int) error {
	there, found, err := b.lookUp(ctx, cfg.Name)
	if err != nil {
		return err
	}
	cfg.Replicas = wanted(replicas, there.Replicas)
	cfg.Metadata = marked(there.Metadata)
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if found {
		_, err = b.js.UpdateStream(ctx, cfg)
	} else {
		_, err = b.js.CreateStream(ctx, cfg)
	}
	return b.inTheWay(ctx, cfg.Name, cfg.Subjects[0], err)
}

// inTheWay names the stream that has the subjects which ours needs, where the server has
// refused ours for that.
func (b *Bus) inTheWay(ctx context.Context, ours, subject string, refused error) error {
	if refused == nil {
		return nil
	}
	var api *jetstream.APIError
	if errors.As(refused, &api) && api.ErrorCode == codeSubjectsOverlap {
		list := b.js.ListStreams(ctx, jetstream.WithStreamListSubject(subject))
		for other := range list.Info() {
			if other.Config.Name != ours {
				return &ForeignError{Stream: other.Config.Name, Subjects: other.Config.Subjects, Needed: ours}
			}
		}
		refused = errors.Join(refused, list.Err())
	}
	return fmt.Errorf("set up stream %s: %w", ours, b.named(refused))
}

// setBucket sets the bucket of leases up.
func (b *Bus) setBucket(ctx context.Context, replicas int) error {
	name := "KV_" + b.Name(leaseBucket)
	there, found, err := b.lookUp(ctx, name)
	if err != nil {
		return err
	}
	cfg := jetstream.KeyValueConfig{
		Bucket: b.Name(leaseBucket), TTL: LeaseLife, Storage: jetstream.FileStorage,
		Replicas: wanted(replicas, there.Replicas), Metadata: marked(there.Metadata),
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if found {
		_, err = b.js.UpdateKeyValue(ctx, cfg)
	} else {
		_, err = b.js.CreateKeyValue(ctx, cfg)
	}
	return b.inTheWay(ctx, name, "$KV."+cfg.Bucket+".>", err)
}

// wanted is how many replicas a stream gets that has some, or 0 where it is not there.
func wanted(setting, there int) int {
	switch {
	case setting > 0:
		return setting
	case there > 0:
		return there
	default:
		return 1
	}
}

// marked adds our mark to what else stands in the metadata.
func marked(there map[string]string) map[string]string {
	metadata := map[string]string{}
	maps.Copy(metadata, there)
	metadata[markKey] = markValue
	return metadata
}
