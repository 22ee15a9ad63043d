package events

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// group publishes what arrives together on one stream as one batch, so that one sync of the disk
// serves many. Nothing waits for a batch to fill: what waits while one is under way is the next.
// Each caller gets the answer about its own message.
type group struct {
	bus    *Bus
	stream string

	mu      sync.Mutex
	direct  int           // how many are published alone now: few are faster so
	waiting []*submission // for the next batch
	working bool          // batches are published

	batches bool      // the stream takes batches; only the goroutine that works uses it
	asked   time.Time // when that was found out; zero where it was not
}

// askAgain is how long a stream is taken to know no batches: its server may be a newer one by then.
const askAgain = time.Minute

// submission is a message whose caller waits.
type submission struct {
	ctx      context.Context //nolint:containedctx // of the caller, who may have gone
	subject  string
	data     []byte
	sequence uint64
	err      error
	done     chan struct{}
}

// message is made anew for each try: a batch leaves its headers.
func (s *submission) message(stream string) *nats.Msg {
	return &nats.Msg{Subject: s.subject, Data: s.data, Header: nats.Header{jetstream.ExpectedStreamHeader: {stream}}}
}

// answer tells the caller what became of its message.
func (s *submission) answer(sequence uint64, err error) {
	s.sequence, s.err = sequence, err
	close(s.done)
}

// publish returns when the stream has the message on disk.
func (g *group) publish(ctx context.Context, subject string, data []byte) (sequence uint64, err error) {
	s := &submission{ctx: ctx, subject: subject, data: data, done: make(chan struct{})}
	g.mu.Lock()
	if !g.working && g.direct < batchLeast {
		g.direct++
		g.mu.Unlock()
		g.alone(ctx, s)
		g.mu.Lock()
		g.direct--
		g.mu.Unlock()
		return s.sequence, s.err
	}
	g.waiting = append(g.waiting, s)
	if !g.working {
		g.working = true
		go g.work() //nolint:contextcheck // it works for all who wait
	}
	g.mu.Unlock()
	select {
	case <-s.done:
		return s.sequence, s.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// work publishes until nothing waits.
func (g *group) work() {
	for {
		g.mu.Lock()
		batch := g.next()
		g.working = len(batch) > 0
		g.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		g.together(batch)
	}
}

// next takes what one batch can hold. Who has given up has put its message elsewhere, and nobody
// shall wait for that.
func (g *group) next() []*submission {
	g.waiting = slices.DeleteFunc(g.waiting, func(s *submission) bool { return s.ctx.Err() != nil })
	count, size := 0, 0
	for count < len(g.waiting) && count < batchMost && size < batchBytes {
		size += len(g.waiting[count].data)
		count++
	}
	batch := g.waiting[:count:count]
	g.waiting = g.waiting[count:]
	return batch
}

// together publishes a batch. If that fails, perhaps because of one of its messages, they are
// published one by one: then each has its own answer. What got no answer in time is not tried again,
// as that would take as long.
func (g *group) together(batch []*submission) {
	if len(batch) < batchLeast || !g.takesBatches() {
		g.oneByOne(batch)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishLimit)
	defer cancel()
	messages := make([]*nats.Msg, len(batch))
	for i, s := range batch {
		messages[i] = s.message(g.bus.Name(g.stream))
	}
	last, err := g.bus.publishBatch(ctx, messages)
	if err != nil && ctx.Err() == nil {
		g.asked = time.Time{} // the stream may have been made anew
		g.oneByOne(batch)
		return
	}
	for i, s := range batch {
		sequence := uint64(0)
		if err == nil {
			sequence = last - uint64(len(batch)-1-i) //nolint:gosec // the batch is not longer than its stream
		}
		s.answer(sequence, err)
	}
}

// oneByOne publishes each message alone, at the same time. A caller with more time than others
// must not make those wait that come next.
func (g *group) oneByOne(batch []*submission) {
	var all sync.WaitGroup
	for _, s := range batch {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(s.ctx, publishLimit)
			defer cancel()
			g.alone(ctx, s)
		})
	}
	all.Wait()
}

func (g *group) alone(ctx context.Context, s *submission) {
	ack, err := g.bus.js.PublishMsg(ctx, s.message(g.bus.Name(g.stream)), jetstream.WithRetryAttempts(0))
	if err != nil {
		s.answer(0, err)
		return
	}
	s.answer(ack.Sequence, nil)
}

// takesBatches reports whether the stream takes batches. Where nobody can say so now, it does not.
func (g *group) takesBatches() bool {
	if !g.asked.IsZero() && (g.batches || time.Since(g.asked) < askAgain) {
		return g.batches
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishLimit)
	defer cancel()
	stream, err := g.bus.Stream(ctx, g.stream)
	if err != nil {
		return false
	}
	g.asked, g.batches = time.Now(), stream.CachedInfo().Config.AllowAtomicPublish
	return g.batches
}
