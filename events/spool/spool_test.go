package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"leadsync/events/spool"
	"leadsync/leads/leadstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openSpool(tb testing.TB, cfg spool.Config) *spool.Spool {
	tb.Helper()
	if cfg.Log == nil {
		cfg.Log = leadstest.Silent()
	}
	cfg.TakenAt = func(payload []byte) time.Time {
		n, err := strconv.Atoi(number(payload))
		if err != nil {
			tb.Error(err)
		}
		return takenAt(n)
	}
	s, err := spool.Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

var begun = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func takenAt(n int) time.Time { return begun.Add(time.Duration(n) * time.Second) }

// payload is the n-th entry, 120 bytes long.
func payload(n int) []byte { return fmt.Appendf(nil, "%-120d", n) }

func number(payload []byte) string { return strings.TrimSpace(string(payload)) }

func store(tb testing.TB, s *spool.Spool, from, to int) {
	tb.Helper()
	for n := from; n <= to; n++ {
		if err := s.Append(tb.Context(), payload(n), takenAt(n)); err != nil {
			tb.Fatal(err)
		}
	}
}

// drained returns the numbers of the entries that a spool delivers, in order.
func drained(tb testing.TB, s *spool.Spool) []string {
	tb.Helper()
	var list []string
	_, err := s.Drain(tb.Context(), func(_ context.Context, payload []byte) error {
		list = append(list, number(payload))
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

func numbers(from, to int) []string {
	var list []string
	for n := from; n <= to; n++ {
		list = append(list, strconv.Itoa(n))
	}
	return list
}

func TestSpoolDeliversInOrder(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, spool.Config{Dir: dir, Segment: 500})
	store(t, s, 1, 20)
	if stats := s.Stats(); stats.Entries != 20 || !stats.Oldest.Equal(takenAt(1)) || stats.Bytes == 0 {
		t.Errorf("stats %+v", stats)
	}
	if diff := cmp.Diff(numbers(1, 20), drained(t, s)); diff != "" {
		t.Errorf("drained (-want +got):\n%s", diff)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 || s.Stats() != (spool.Stats{Limit: s.Stats().Limit}) {
		t.Errorf("%d files left, %v, %+v", len(left), err, s.Stats())
	}
	store(t, s, 21, 22)
	if diff := cmp.Diff(numbers(21, 22), drained(t, s)); diff != "" {
		t.Errorf("drained later (-want +got):\n%s", diff)
	}
}

func TestSpoolOutlivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	first := openSpool(t, spool.Config{Dir: dir, Segment: 300})
	store(t, first, 1, 9) // not closed: it was killed
	second := openSpool(t, spool.Config{Dir: dir, Segment: 300})
	store(t, second, 10, 12)
	if diff := cmp.Diff(numbers(1, 12), drained(t, second)); diff != "" {
		t.Errorf("drained (-want +got):\n%s", diff)
	}
}

// A kill may leave a segment cut at any byte: every whole record is delivered, nothing else.
func TestWholeRecordsSurviveATornTail(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, spool.Config{Dir: dir})
	var ends []int64
	for n := 1; n <= 4; n++ {
		store(t, s, n, n)
		ends = append(ends, int64(len(onlySegment(t, dir))))
	}
	whole := onlySegment(t, dir)
	for cut := 0; cut <= len(whole); cut++ {
		for _, tail := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x00\x00", "garbage of a power cut"} {
			torn := t.TempDir()
			if err := os.WriteFile(filepath.Join(torn, "0000000000000001.spool"), append(slices.Clone(whole[:cut]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			want := 0
			for _, end := range ends {
				if int64(cut) >= end {
					want++
				}
			}
			again := openSpool(t, spool.Config{Dir: torn})
			store(t, again, 5, 5) // a torn segment stops nothing
			if diff := cmp.Diff(append(numbers(1, want), "5"), drained(t, again)); diff != "" {
				t.Fatalf("cut at %d with tail %q (-want +got):\n%s", cut, tail, diff)
			}
		}
	}
}

func onlySegment(tb testing.TB, dir string) []byte {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.spool"))
	if err != nil || len(names) != 1 {
		tb.Fatalf("%d segments, %v", len(names), err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestSpoolIsBounded(t *testing.T) {
	s := openSpool(t, spool.Config{Dir: t.TempDir(), Limit: 1000})
	var err error
	n := 0
	for err == nil {
		n++
		err = s.Append(t.Context(), payload(n), takenAt(n))
	}
	if !errors.Is(err, spool.ErrFull) || s.Stats().Bytes > 1000 {
		t.Fatalf("%v at %+v", err, s.Stats())
	}
	if got := len(drained(t, s)); got != n-1 {
		t.Errorf("%d drained of %d taken", got, n-1)
	}
	store(t, s, 1, 1) // there is room again
}

// A segment that is drained but still in the hands of a writer takes no room from others.
func TestDrainedBytesDoNotCountAsFull(t *testing.T) {
	begun, slow := make(chan struct{}, 9), make(chan struct{}, 9)
	s := openSpool(t, spool.Config{Dir: t.TempDir(), Limit: 400, Create: func(path string) (spool.SegmentFile, error) {
		file, err := os.Create(path)
		return slowFile{file, begun, slow}, err
	}})
	appending := func(n, length int) <-chan error {
		done := make(chan error, 1)
		go func() { done <- s.Append(t.Context(), fmt.Appendf(nil, "%-*d", length, n), takenAt(n)) }()
		return done
	}
	free := sync.OnceFunc(func() { close(slow) })
	t.Cleanup(free)
	slow <- struct{}{} // the first sync does not wait
	if err := <-appending(1, 300); err != nil {
		t.Fatal(err)
	}
	<-begun
	second := appending(2, 60)
	<-begun
	if diff := cmp.Diff(numbers(1, 1), drained(t, s)); diff != "" {
		t.Fatalf("drained (-want +got):\n%s", diff)
	}
	third := appending(3, 100)
	select {
	case err := <-third:
		t.Fatalf("an entry for which there is room: %v", err)
	case <-time.After(50 * time.Millisecond): // it waits for its turn
	}
	if err := <-appending(4, 300); !errors.Is(err, spool.ErrFull) {
		t.Errorf("what is being written counts, but: %v", err)
	}
	free()
	if err := errors.Join(<-second, <-third); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(numbers(2, 3), drained(t, s)); diff != "" {
		t.Errorf("drained (-want +got):\n%s", diff)
	}
}

// slowFile says that a sync has begun, and waits.
type slowFile struct {
	*os.File

	begun chan<- struct{}
	wait  <-chan struct{}
}

func (f slowFile) Sync() error {
	f.begun <- struct{}{}
	<-f.wait
	return f.File.Sync()
}

func TestDrainStopsAtAFailedDelivery(t *testing.T) {
	s := openSpool(t, spool.Config{Dir: t.TempDir(), Segment: 300})
	store(t, s, 1, 10)
	down := errors.New("NATS is down")
	count := 0
	n, err := s.Drain(t.Context(), func(context.Context, []byte) error {
		if count++; count > 4 {
			return down
		}
		return nil
	})
	if n != 4 || !errors.Is(err, down) || s.Stats().Entries != 6 {
		t.Fatalf("%d delivered, %v, %+v", n, err, s.Stats())
	}
	if diff := cmp.Diff(numbers(5, 10), drained(t, s)); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
}

func TestDamagedSegmentIsLoggedAndSkipped(t *testing.T) {
	dir := t.TempDir()
	log := &leadstest.Log{}
	s := openSpool(t, spool.Config{Dir: dir, Segment: 250, Log: log.Logger()})
	store(t, s, 1, 6)
	names, err := filepath.Glob(filepath.Join(dir, "*.spool"))
	if err != nil || len(names) < 2 {
		t.Fatal(len(names), err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	data[20] ^= 1
	if err := os.WriteFile(names[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	got := drained(t, s)
	if len(got) == 0 || got[len(got)-1] != "6" || !strings.Contains(log.String(), "callbacks are lost") {
		t.Errorf("drained %v, logged %s", got, log.String())
	}
}

func TestAppendedEntriesSurviveAPowerCut(t *testing.T) {
	d := &disk{fails: map[int]error{3: errors.New("EIO"), 7: errors.New("EIO")}}
	s := openSpool(t, spool.Config{Dir: t.TempDir(), Create: d.create, Segment: 400})
	store(t, s, 1, 12)
	if diff := cmp.Diff(numbers(1, 12), drained(t, d.powerCut(t))); diff != "" {
		t.Errorf("after the cut (-want +got):\n%s", diff)
	}
}

func TestFailedSyncClosesItsSegment(t *testing.T) {
	down := errors.New("EIO")
	d := &disk{fails: map[int]error{2: down, 3: down}}
	s := openSpool(t, spool.Config{Dir: t.TempDir(), Create: d.create})
	store(t, s, 1, 1)
	if err := s.Append(t.Context(), payload(2), takenAt(2)); !errors.Is(err, down) {
		t.Fatalf("a failed sync passes for a success: %v", err)
	}
	store(t, s, 3, 3)
	if len(d.files) != 3 || !d.files[0].closed || !d.files[1].closed {
		t.Errorf("%d segments; the failed ones must be closed", len(d.files))
	}
	if diff := cmp.Diff([]string{"1", "3"}, drained(t, d.powerCut(t))); diff != "" {
		t.Errorf("after the cut (-want +got):\n%s", diff)
	}
}

// On a full disk Append returns an error; it takes entries again when there is room.
func TestSpoolWorksAgainAfterAFullDisk(t *testing.T) {
	d := &disk{full: true, room: 700}
	s := openSpool(t, spool.Config{Dir: t.TempDir(), Create: d.create})
	var kept []string
	refused := 0
	for n := 1; n <= 10; n++ {
		err := s.Append(t.Context(), payload(n), takenAt(n))
		if n == 9 {
			d.mu.Lock()
			d.full = false // somebody has freed some room
			d.mu.Unlock()
		}
		if err == nil {
			kept = append(kept, strconv.Itoa(n))
			continue
		}
		if refused++; !errors.Is(err, errNoSpace) {
			t.Errorf("%v", err)
		}
	}
	if refused == 0 || !slices.Contains(kept, "10") {
		t.Fatalf("%d refused, kept %v", refused, kept)
	}
	if diff := cmp.Diff(kept, drained(t, d.powerCut(t))); diff != "" {
		t.Errorf("after the cut (-want +got):\n%s", diff)
	}
}

// Those that come while a sync is under way share the next one.
func TestConcurrentEntriesShareASync(t *testing.T) {
	d := &disk{slow: make(chan struct{})}
	s := openSpool(t, spool.Config{Dir: t.TempDir(), Create: d.create})
	var group errgroup.Group
	var joined sync.WaitGroup
	joined.Add(100)
	for n := range 100 {
		group.Go(func() error { return s.Append(&waitedFor{t.Context(), joined.Done}, payload(n), takenAt(n)) })
	}
	joined.Wait()
	close(d.slow)
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if d.syncs > 2 {
		t.Errorf("%d syncs for 100 entries that came together", d.syncs)
	}
	if got := len(drained(t, d.powerCut(t))); got != 100 {
		t.Errorf("%d entries kept", got)
	}
}

// waitedFor is a context that tells when somebody begins to wait for its end.
type waitedFor struct {
	context.Context
	begun func()
}

func (w *waitedFor) Done() <-chan struct{} {
	w.begun()
	return w.Context.Done()
}

func TestRunDrainsUntilItsContextEnds(t *testing.T) {
	s := openSpool(t, spool.Config{Dir: t.TempDir(), Segment: 500})
	store(t, s, 1, 3)
	ctx, stop := context.WithCancel(t.Context())
	got := make(chan string, 100)
	down := true
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, func(_ context.Context, payload []byte) error {
			if down {
				down = false
				return errors.New("NATS is down")
			}
			got <- number(payload)
			return nil
		})
	}()
	var order []string
	for range 3 {
		order = append(order, <-got)
	}
	store(t, s, 4, 5)
	for range 2 {
		order = append(order, <-got)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(numbers(1, 5), order); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
}

// Whatever happens between, every entry is delivered at least once and in order, except
// those that are delivered again after a kill.
func TestSpoolAgainstItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		s := openSpool(t, spool.Config{Dir: dir, Segment: int64(rapid.IntRange(150, 900).Draw(rt, "segment"))})
		taken, next := 0, 1
		var given []int
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(*rapid.T) { taken++; store(t, s, taken, taken) },
			"kill": func(*rapid.T) {
				s = openSpool(t, spool.Config{Dir: dir, Segment: 400})
				given = nil
			},
			"drain some": func(rt *rapid.T) {
				left := rapid.IntRange(0, 5).Draw(rt, "some")
				_, _ = s.Drain(t.Context(), func(_ context.Context, payload []byte) error {
					if left--; left < 0 {
						return errors.New("down")
					}
					n, err := strconv.Atoi(number(payload))
					if err != nil {
						return err
					}
					given = append(given, n)
					if n > next {
						rt.Fatalf("%d comes before %d", n, next)
					}
					next = max(next, n+1)
					return nil
				})
			},
			"": func(rt *rapid.T) {
				if !slices.IsSorted(given) {
					rt.Fatalf("order %v", given)
				}
				if s.Stats().Entries < taken-next+1 {
					rt.Fatalf("%d wait, %d were taken and %d given", s.Stats().Entries, taken, next-1)
				}
			},
		})
		for _, n := range drained(t, s) {
			if n == strconv.Itoa(next) {
				next++
			}
		}
		if next != taken+1 {
			rt.Fatalf("%d taken, %d given", taken, next-1)
		}
		_ = s.Close()
	})
}

func FuzzReadRecords(f *testing.F) {
	dir := f.TempDir()
	s, err := spool.Open(spool.Config{Dir: dir, Log: leadstest.Silent()})
	if err != nil {
		f.Fatal(err)
	}
	for n := range 3 {
		if err := s.Append(f.Context(), payload(n), takenAt(n)); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	whole := onlySegment(f, dir)
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add([]byte{})
	f.Add([]byte("LSYNCSP1\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var payloads [][]byte
		good, err := spool.ReadRecords(strings.NewReader(string(data)), func(p []byte) error {
			payloads = append(payloads, p)
			return nil
		})
		if good < 0 || good > int64(len(data)) {
			t.Fatalf("%d good bytes of %d", good, len(data))
		}
		if err == nil && good != int64(len(data)) {
			t.Fatalf("%d of %d bytes, and no word of the rest", good, len(data))
		}
		// What was read is what reading the good part alone gives.
		again := 0
		if good > 0 {
			if _, err := spool.ReadRecords(strings.NewReader(string(data[:good])), func([]byte) error { again++; return nil }); err != nil {
				t.Fatalf("the good part is bad: %v", err)
			}
		}
		if again != len(payloads) {
			t.Fatalf("%d records, then %d", len(payloads), again)
		}
	})
}
