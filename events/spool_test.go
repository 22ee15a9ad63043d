package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"leadsync/events"
)

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openSpool(tb testing.TB, cfg events.SpoolConfig) *events.Spool {
	tb.Helper()
	if cfg.Log == nil {
		cfg.Log = silent()
	}
	s, err := events.OpenSpool(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func letter(n int) events.Entry {
	return events.Entry{
		Subject: fmt.Sprintf("bitrix24.notices.%s.%d", member, n), Data: json.RawMessage(fmt.Sprintf(`{"ts":%d}`, n)),
		At: time.Date(2026, 11, 23, 10, 0, n%60, 0, time.UTC),
	}
}

func store(tb testing.TB, s *events.Spool, from, to int) {
	tb.Helper()
	for n := from; n <= to; n++ {
		if err := s.Append(tb.Context(), letter(n)); err != nil {
			tb.Fatal(err)
		}
	}
}

// drained is what a spool gives, in order.
func drained(tb testing.TB, s *events.Spool) []string {
	tb.Helper()
	var subjects []string
	_, err := s.Drain(tb.Context(), func(_ context.Context, e events.Entry) error {
		subjects = append(subjects, e.Subject[strings.LastIndex(e.Subject, ".")+1:])
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return subjects
}

func numbers(from, to int) []string {
	var list []string
	for n := from; n <= to; n++ {
		list = append(list, strconv.Itoa(n))
	}
	return list
}

func TestSpoolGivesBackWhatItTookInOrder(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, events.SpoolConfig{Dir: dir, Segment: 500})
	store(t, s, 1, 20)
	if stats := s.Stats(); stats.Entries != 20 || !stats.Oldest.Equal(letter(1).At) || stats.Bytes == 0 {
		t.Errorf("stats %+v", stats)
	}
	if diff := cmp.Diff(numbers(1, 20), drained(t, s)); diff != "" {
		t.Errorf("drained (-want +got):\n%s", diff)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 || s.Stats() != (events.SpoolStats{Limit: s.Stats().Limit}) {
		t.Errorf("%d files left, %v, %+v", len(left), err, s.Stats())
	}
	store(t, s, 21, 22)
	if diff := cmp.Diff(numbers(21, 22), drained(t, s)); diff != "" {
		t.Errorf("drained later (-want +got):\n%s", diff)
	}
}

func TestSpoolOutlivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	first := openSpool(t, events.SpoolConfig{Dir: dir, Segment: 300})
	store(t, first, 1, 9) // not closed: it was killed
	second := openSpool(t, events.SpoolConfig{Dir: dir, Segment: 300})
	store(t, second, 10, 12)
	if diff := cmp.Diff(numbers(1, 12), drained(t, second)); diff != "" {
		t.Errorf("drained (-want +got):\n%s", diff)
	}
}

// What a kill leaves at any byte: every whole record is given back, nothing else is.
func TestSpoolRecordsSurviveATornTail(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, events.SpoolConfig{Dir: dir})
	var ends []int64
	for n := 1; n <= 4; n++ {
		store(t, s, n, n)
		ends = append(ends, s.Stats().Bytes)
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
			again := openSpool(t, events.SpoolConfig{Dir: torn})
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
	s := openSpool(t, events.SpoolConfig{Dir: t.TempDir(), Limit: 1000})
	var err error
	n := 0
	for err == nil {
		n++
		err = s.Append(t.Context(), letter(n))
	}
	if !errors.Is(err, events.ErrSpoolFull) || s.Stats().Bytes > 1000 {
		t.Fatalf("%v at %+v", err, s.Stats())
	}
	if got := len(drained(t, s)); got != n-1 {
		t.Errorf("%d drained of %d taken", got, n-1)
	}
	store(t, s, 1, 1) // there is room again
}

func TestDrainStopsAtWhatCannotBeDelivered(t *testing.T) {
	s := openSpool(t, events.SpoolConfig{Dir: t.TempDir(), Segment: 300})
	store(t, s, 1, 10)
	ill := errors.New("NATS is down")
	count := 0
	n, err := s.Drain(t.Context(), func(context.Context, events.Entry) error {
		if count++; count > 4 {
			return ill
		}
		return nil
	})
	if n != 4 || !errors.Is(err, ill) || s.Stats().Entries != 6 {
		t.Fatalf("%d delivered, %v, %+v", n, err, s.Stats())
	}
	if diff := cmp.Diff(numbers(5, 10), drained(t, s)); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
}

func TestDamageInTheMiddleIsLoudAndHoldsUpNobody(t *testing.T) {
	dir := t.TempDir()
	var log strings.Builder
	s := openSpool(t, events.SpoolConfig{Dir: dir, Segment: 250, Log: slog.New(slog.NewTextHandler(&log, nil))})
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

func TestWhatAppendReturnedForSurvivesAPowerCut(t *testing.T) {
	d := &disk{fails: map[int]error{3: errors.New("EIO"), 7: errors.New("EIO")}}
	s := openSpool(t, events.SpoolConfig{Dir: t.TempDir(), Create: d.create, Segment: 400})
	store(t, s, 1, 12)
	if diff := cmp.Diff(numbers(1, 12), drained(t, d.powerCut(t))); diff != "" {
		t.Errorf("after the cut (-want +got):\n%s", diff)
	}
}

func TestFailedSyncClosesItsSegment(t *testing.T) {
	ill := errors.New("EIO")
	d := &disk{fails: map[int]error{2: ill, 3: ill}}
	s := openSpool(t, events.SpoolConfig{Dir: t.TempDir(), Create: d.create})
	store(t, s, 1, 1)
	if err := s.Append(t.Context(), letter(2)); !errors.Is(err, ill) {
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

// A full disk refuses, says so, and takes entries again when there is room.
func TestFullDiskRefusesAndHeals(t *testing.T) {
	d := &disk{full: true, room: 700}
	s := openSpool(t, events.SpoolConfig{Dir: t.TempDir(), Create: d.create})
	var kept []string
	refused := 0
	for n := 1; n <= 10; n++ {
		err := s.Append(t.Context(), letter(n))
		if n == 9 {
			d.mu.Lock()
			d.full = false // somebody has cleared up
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

func TestEntriesThatComeTogetherShareASync(t *testing.T) {
	d := &disk{slow: make(chan struct{})}
	s := openSpool(t, events.SpoolConfig{Dir: t.TempDir(), Create: d.create})
	var group errgroup.Group
	for n := range 100 {
		group.Go(func() error { return s.Append(t.Context(), letter(n)) })
	}
	go func() {
		for {
			select {
			case d.slow <- struct{}{}:
			case <-t.Context().Done():
				return
			}
		}
	}()
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if d.syncs >= 100 {
		t.Errorf("%d syncs for 100 entries that came together", d.syncs)
	}
	if got := len(drained(t, d.powerCut(t))); got != 100 {
		t.Errorf("%d entries kept", got)
	}
}

func TestRunDrainsWhatComesAndStops(t *testing.T) {
	s := openSpool(t, events.SpoolConfig{Dir: t.TempDir(), Segment: 500})
	store(t, s, 1, 3)
	ctx, stop := context.WithCancel(t.Context())
	got := make(chan string, 100)
	down := true
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, func(_ context.Context, e events.Entry) error {
			if down {
				down = false
				return errors.New("NATS is down")
			}
			got <- e.Subject[strings.LastIndex(e.Subject, ".")+1:]
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

// Whatever happens between, what was taken is given back at least once and in order,
// but for what a kill has delivered again.
func TestSpoolAgainstItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		s := openSpool(t, events.SpoolConfig{Dir: dir, Segment: int64(rapid.IntRange(150, 900).Draw(rt, "segment"))})
		taken, next := 0, 1
		var given []int
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(*rapid.T) { taken++; store(t, s, taken, taken) },
			"kill": func(*rapid.T) {
				s = openSpool(t, events.SpoolConfig{Dir: dir, Segment: 400})
				given = nil
			},
			"drain some": func(rt *rapid.T) {
				left := rapid.IntRange(0, 5).Draw(rt, "some")
				_, _ = s.Drain(t.Context(), func(_ context.Context, e events.Entry) error {
					if left--; left < 0 {
						return errors.New("down")
					}
					var n int
					if _, err := fmt.Sscanf(e.Subject[strings.LastIndex(e.Subject, ".")+1:], "%d", &n); err != nil {
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
	s, err := events.OpenSpool(events.SpoolConfig{Dir: dir, Log: silent()})
	if err != nil {
		f.Fatal(err)
	}
	for n := range 3 {
		if err := s.Append(f.Context(), letter(n)); err != nil {
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
		good, err := events.ReadRecords(strings.NewReader(string(data)), func(p []byte) error {
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
			if _, err := events.ReadRecords(strings.NewReader(string(data[:good])), func([]byte) error { again++; return nil }); err != nil {
				t.Fatalf("the good part is bad: %v", err)
			}
		}
		if again != len(payloads) {
			t.Fatalf("%d records, then %d", len(payloads), again)
		}
	})
}
