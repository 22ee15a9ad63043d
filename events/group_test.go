package events_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"leadsync/events"
	"leadsync/events/eventstest"
)

// stored is what became of an entry.
type stored struct {
	sequence uint64
	err      error
}

// together stores entries that all wait when the first of them is published.
func together(t *testing.T, bus *events.Bus, entries []events.Entry) []stored {
	t.Helper()
	waiting, release := bus.HoldNotices()
	got := make([]stored, len(entries))
	var all sync.WaitGroup
	for i := range entries {
		all.Go(func() { got[i].sequence, got[i].err = events.StoreEntry(t.Context(), bus, entries[i]) })
		until(t, "it waits", func() bool { return waiting() == i+1 })
	}
	release()
	all.Wait()
	return got
}

func entriesFrom(first, count int) (entries []events.Entry) {
	for n := range count {
		entries = append(entries, entry(first+n))
	}
	return entries
}

// wantStored wants each entry where its answer says, and returns how many came in a batch.
func wantStored(t *testing.T, bus *events.Bus, entries []events.Entry, got []stored) (inBatches int) {
	t.Helper()
	for i, e := range entries {
		if got[i].err != nil {
			t.Fatalf("entry %d: %v", i, got[i].err)
		}
		msg, err := stream(t, bus, events.StreamNotices).GetMsg(t.Context(), got[i].sequence)
		if err != nil || msg.Subject != e.Subject || string(msg.Data) != string(e.Data) {
			t.Fatalf("entry %d of %s is said to be at %d: %+v, %v", i, e.Subject, got[i].sequence, msg, err)
		}
		if msg.Header.Get(jetstreamext.BatchIDHeader) != "" {
			inBatches++
		}
	}
	return inBatches
}

// What arrives together is stored as one batch, each at the place that its caller is told.
func TestEntriesThatArriveTogetherAreOneBatch(t *testing.T) {
	bus := eventstest.Bus(t)
	many, few := entriesFrom(1, 40), entriesFrom(101, 5)
	if n := wantStored(t, bus, many, together(t, bus, many)); n != len(many) {
		t.Errorf("%d of %d came in a batch", n, len(many))
	}
	if n := wantStored(t, bus, few, together(t, bus, few)); n != 0 {
		t.Errorf("%d of %d came in a batch, which takes longer for so few", n, len(few))
	}
	alone := entry(201)
	sequence, err := events.StoreEntry(t.Context(), bus, alone)
	wantStored(t, bus, []events.Entry{alone}, []stored{{sequence, err}})
}

// A stream that takes no batches, because its server does not know them or somebody made it
// anew, gets one message after the other, and a minute later takes batches again.
func TestRefusedBatchIsStoredOneByOne(t *testing.T) {
	bus := eventstest.Bus(t)
	for round, allowed := range []bool{true, false, false, true} {
		cfg := stream(t, bus, events.StreamNotices).CachedInfo().Config
		cfg.AllowAtomicPublish = allowed
		if _, err := bus.JetStream().UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if round == 3 {
			bus.AskAgain()
		}
		list := entriesFrom(1+100*round, 20)
		n := wantStored(t, bus, list, together(t, bus, list))
		if want := map[bool]int{true: 20}[allowed]; n != want {
			t.Errorf("round %d: %d came in a batch, want %d", round, n, want)
		}
	}
}

// One that the server cannot take stops no other.
func TestRefusedEntryStopsNoOther(t *testing.T) {
	bus := eventstest.Bus(t)
	cfg := stream(t, bus, events.StreamNotices).CachedInfo().Config
	cfg.MaxMsgSize = 1000
	if _, err := bus.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func(*events.Entry){
		func(e *events.Entry) { e.Data = []byte(`"` + strings.Repeat("x", 2000) + `"`) },
		func(e *events.Entry) { e.Subject = "bitrix24.notices.has no form" },
	} {
		list := entriesFrom(1, 30)
		spoil(&list[7])
		got := together(t, bus, list)
		if got[7].err == nil {
			t.Error("what the server cannot take has no error")
		}
		wantStored(t, bus, slices.Delete(slices.Clone(list), 7, 8), slices.Delete(got, 7, 8))
	}
}

// Where the stream is full each caller is told so, and what was stored is there.
func TestFullStreamRefusesEachEntry(t *testing.T) {
	bus := eventstest.Bus(t)
	cfg := stream(t, bus, events.StreamNotices).CachedInfo().Config
	cfg.MaxMsgs = 10
	if _, err := bus.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	list := entriesFrom(1, 30)
	var fine []events.Entry
	var answers []stored
	var api *jetstream.APIError
	for i, s := range together(t, bus, list) {
		switch {
		case s.err == nil:
			fine, answers = append(fine, list[i]), append(answers, s)
		case !errors.As(s.err, &api):
			t.Errorf("entry %d: %v, want what the server says", i, s.err)
		}
	}
	if len(fine) != 10 {
		t.Errorf("%d of 30 are said to be stored, 10 have room", len(fine))
	}
	wantStored(t, bus, fine, answers)
}

// A caller who gives up while its entry waits is told so at once.
func TestCallerDoesNotWaitForABatchUnderWay(t *testing.T) {
	bus := eventstest.Bus(t)
	waiting, release := bus.HoldNotices()
	ctx, giveUp := context.WithCancel(t.Context())
	answer := make(chan error, 1)
	go func() {
		_, err := events.StoreEntry(ctx, bus, entry(1))
		answer <- err
	}()
	until(t, "it waits", func() bool { return waiting() == 1 })
	giveUp()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	release()
	list := entriesFrom(2, 10)
	wantStored(t, bus, list, together(t, bus, list))
}

// silent is an entry that the server never answers: nobody keeps its subject, and somebody hears it.
func silent(t *testing.T, bus *events.Bus) events.Entry {
	t.Helper()
	e := entry(0)
	e.Subject = "bitrix24.notices.nobody.keeps.this"
	heard, err := bus.Conn().SubscribeSync(e.Subject)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = heard.Unsubscribe() })
	return e
}

// One that gets no answer makes nobody wait: neither those beside it nor those that come next.
func TestEntryWithoutAnAnswerMakesNobodyWait(t *testing.T) {
	bus := eventstest.Bus(t)
	lost := silent(t, bus)
	waiting, release := bus.HoldNotices()
	var lostOnes, others sync.WaitGroup
	ctx, giveUp := context.WithTimeout(t.Context(), time.Hour)
	lostOnes.Go(func() { _, _ = events.StoreEntry(ctx, bus, lost) })
	until(t, "it waits", func() bool { return waiting() == 1 })
	list := entriesFrom(1, 20)
	got := make([]stored, len(list))
	for i := range list {
		others.Go(func() { got[i].sequence, got[i].err = events.StoreEntry(t.Context(), bus, list[i]) })
	}
	until(t, "all wait", func() bool { return waiting() == len(list)+1 })
	var working sync.WaitGroup
	working.Go(release)
	done := make(chan struct{})
	go func() { others.Wait(); working.Wait(); close(done) }()
	until(t, "the others are stored, and the next batch can begin", func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	wantStored(t, bus, list, got)
	giveUp()
	lostOnes.Wait()
}

// What callers have given up, and have in their spool by now, is not stored behind their back.
func TestEntriesOfCallersWhoAreGoneAreNotStored(t *testing.T) {
	bus := eventstest.Bus(t)
	waiting, release := bus.HoldNotices()
	ctx, giveUp := context.WithCancel(t.Context())
	var gone sync.WaitGroup
	for _, e := range entriesFrom(1, 20) {
		gone.Go(func() { _, _ = events.StoreEntry(ctx, bus, e) })
	}
	until(t, "they wait", func() bool { return waiting() == 20 })
	giveUp()
	gone.Wait()
	release()
	if n := messages(t, bus, events.StreamNotices); n != 0 {
		t.Errorf("%d messages, want none", n)
	}
}

// Notices of few leads: each caller is told its own place, and the last of each lead stays.
func TestBatchWithSeveralNoticesOfALead(t *testing.T) {
	bus := eventstest.Bus(t)
	var list []events.Entry
	for n := range 60 {
		e := entry(n % 7)
		e.Data = []byte(strconv.Itoa(n))
		list = append(list, e)
	}
	got := together(t, bus, list)
	wantStored(t, bus, list[53:], got[53:])
	for i := range got {
		if want := got[0].sequence + uint64(i); got[i].err != nil || got[i].sequence != want {
			t.Errorf("entry %d is said to be at %d, want %d; %v", i, got[i].sequence, want, got[i].err)
		}
	}
	if n := messages(t, bus, events.StreamNotices); n != 7 {
		t.Errorf("%d messages, want 7", n)
	}
}
