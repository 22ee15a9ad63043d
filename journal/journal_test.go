package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/journal"
	"leadsync/leads/leadstest"
)

const (
	member = "a223c6b3710f85df22e9377d6c4f7553"
	other  = "bbbbc6b3710f85df22e9377d6c4f7553"
)

var start = time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)

func open(tb testing.TB, cfg journal.Config) *journal.Journal {
	tb.Helper()
	j, err := journal.Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = j.Close() })
	return j
}

// told is what a directory's journal has about lead 17.
func told(tb testing.TB, dir string) []journal.Entry {
	tb.Helper()
	r, err := journal.Look(tb.Context(), dir, journal.Query{MemberID: member, LeadID: 17, To: start.AddDate(1, 0, 0)})
	if err != nil || r.Damaged > 0 {
		tb.Fatalf("%d damaged, %v", r.Damaged, err)
	}
	return r.Entries
}

// row is an entry about lead 17.
func row(n int) journal.Entry {
	return journal.Entry{
		At: start.Add(time.Duration(n) * time.Second), Kind: journal.Wrote, MemberID: member, LeadID: 17, Word: "updated", Cause: "event",
		Revision: int64(n), Fields: []string{"TITLE", "UF_CRM_1"},
	}
}

func TestEntriesComeBack(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Config{Dir: dir, Owner: true})
	want := []journal.Entry{
		{At: start, Kind: journal.Received, MemberID: member, LeadID: 17, Event: "ONCRMLEADADD", Cause: "event", Sequence: 1 << 40, Took: 3 * time.Millisecond},
		{
			At: start.Add(time.Second), Kind: journal.Read, MemberID: member, LeadID: 17, Word: "present", Event: "ONCRMLEADADD", Cause: "event", Sequence: 1 << 40,
			Ticket: 5<<32 + 7, Since: start, Waited: 80 * time.Millisecond, Took: 210 * time.Millisecond,
		},
		row(2),
		{At: start.Add(3 * time.Second), Kind: journal.Status, MemberID: member, Word: "blind", Text: "the portal refuses", Since: start.Add(-time.Hour)},
		{At: start.Add(4 * time.Second), Kind: journal.Outage, Word: "spooled", Count: 12, Since: start}, // of every portal
	}
	j.Add(want[0])
	j.Add(journal.Entry{At: start, Kind: journal.Wrote, MemberID: member, LeadID: 18}, journal.Entry{At: start, Kind: journal.Wrote, MemberID: other, LeadID: 17})
	j.Add(want[1:]...)
	j.Flush()
	if diff := cmp.Diff(want, told(t, dir)); diff != "" {
		t.Errorf("while it is written (-want +got):\n%s", diff)
	}
	beside := open(t, journal.Config{Dir: dir}) // a command
	beside.Add(row(5))
	if err := errors.Join(beside.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(want, row(5)), told(t, dir)); diff != "" {
		t.Errorf("with what a command added (-want +got):\n%s", diff)
	}
	r, err := journal.Look(t.Context(), dir, journal.Query{MemberID: member, LeadID: 17, From: start.Add(2 * time.Second), To: start.Add(3 * time.Second)})
	if err != nil || len(r.Entries) != 2 {
		t.Errorf("of two seconds: %v, %v", r.Entries, err)
	}
}

// Entries are on their way to the disk within a second, whoever waits for them.
func TestEntriesAreWrittenSoon(t *testing.T) {
	dir := t.TempDir()
	open(t, journal.Config{Dir: dir, Owner: true}).Add(row(1))
	for len(told(t, dir)) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("nothing was written")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A kill leaves a part of the last write. What is whole is read; the torn end is named once.
func TestTornEndIsSkipped(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Config{Dir: dir, Owner: true})
	for n := range 3 {
		j.Add(row(n))
		j.Flush()
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil || len(names) != 1 {
		t.Fatalf("segments %v, %v", names, err)
	}
	whole, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for size := len(whole) - 1; size >= 0; size -= 7 {
		killed := t.TempDir()
		if err := os.WriteFile(filepath.Join(killed, filepath.Base(names[0])), whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		left := told(t, killed)
		if len(left) > 2 || size > len(whole)*3/4 && len(left) != 2 {
			t.Errorf("of %d bytes: %d entries", size, len(left))
		}
		var log bytes.Buffer
		for range 2 {
			open(t, journal.Config{Dir: killed, Owner: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
		}
		for range 2 {
			again := open(t, journal.Config{Dir: killed, Owner: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
			again.Add(row(9))
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if n := strings.Count(log.String(), "torn"); n > 1 || n == 0 && size == len(whole)-1 {
			t.Errorf("of %d bytes: the torn end is named %d times", size, n)
		}
		if diff := cmp.Diff(append(left, row(9), row(9)), told(t, killed)); diff != "" {
			t.Errorf("of %d bytes (-want +got):\n%s", size, diff)
		}
	}
}

// A record whose bytes were changed is not read, nor what follows in its segment.
func TestChangedBytesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Config{Dir: dir, Owner: true})
	for n := range 2 {
		j.Add(row(n))
		j.Flush()
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil || len(names) != 1 {
		t.Fatalf("segments %v, %v", names, err)
	}
	info, err := os.Stat(names[0])
	if err != nil {
		t.Fatal(err)
	}
	damage(t, names[0], info.Size()-1)
	if diff := cmp.Diff([]journal.Entry{row(0)}, told(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Nobody writes it any more: this is no torn end.
	writeSegment(t, dir, start.AddDate(1, 0, 0), "s", nil)
	if r := look(t, dir, 0); r.Damaged != 1 {
		t.Errorf("%d segments are damaged, want 1", r.Damaged)
	}
}

// A search reads the blocks that may have the lead, its portal as a whole or every portal, and no
// others: what is damaged there costs the lead nothing.
func TestOnlyBlocksOfTheLeadAreRead(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Config{Dir: dir, Owner: true})
	add := func(leads ...int64) {
		for _, id := range leads {
			e := row(1)
			e.LeadID = id
			j.Add(e)
		}
		j.Flush()
	}
	others := make([]int64, 1000)
	for i := range others {
		others[i] = int64(100 + i)
	}
	add(1, 17, 18)
	add(0)
	names, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil || len(names) != 1 {
		t.Fatalf("segments %v, %v", names, err)
	}
	j.Add(journal.Entry{At: start, Kind: journal.Outage})
	add(others...)
	before, err := os.Stat(names[0])
	if err != nil {
		t.Fatal(err)
	}
	add(others...)
	damage(t, names[0], before.Size()+2000) // behind the filter
	add(17)
	if r := look(t, dir, 0); len(r.Entries) != 4 || r.Damaged != 0 {
		t.Errorf("%d entries, %d damaged; want 4 and none", len(r.Entries), r.Damaged)
	}
}

// damage changes a byte of a file.
func damage(tb testing.TB, path string, at int64) {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	data[at] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func look(tb testing.TB, dir string, most int) journal.Record {
	tb.Helper()
	r, err := journal.Look(tb.Context(), dir, journal.Query{MemberID: member, LeadID: 17, To: start.AddDate(2, 0, 0), Most: most})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// writeSegment makes a segment by hand and returns its path.
func writeSegment(tb testing.TB, dir string, began time.Time, writer string, data []byte) string {
	tb.Helper()
	path := filepath.Join(dir, fmt.Sprintf("%016x-%s.journal", began.UnixMilli(), writer))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// After a downgrade there are segments that this version does not know: they stay as they are.
func TestNewerSegmentsAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := writeSegment(t, dir, start, "s", []byte("LSYNCJN9 of a newer version"))
	j := open(t, journal.Config{Dir: dir, Owner: true})
	if data, err := os.ReadFile(path); err != nil || len(data) != 27 {
		t.Errorf("left of it: %q, %v", data, err)
	}
	j.Add(row(1))
	j.Flush()
	if r := look(t, dir, 0); len(r.Entries) != 1 || r.Damaged != 1 {
		t.Errorf("%d entries, %d damaged; want one each", len(r.Entries), r.Damaged)
	}
}

// What another user has written, or the disk does not give, hides nothing else.
func TestUnreadableSegmentsHideNothingElse(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Config{Dir: dir, Owner: true})
	j.Add(row(1))
	j.Flush()
	if err := os.Mkdir(filepath.Join(dir, "0000000000000001-c1.journal"), 0o700); err != nil { // root may read every file
		t.Fatal(err)
	}
	if r := look(t, dir, 0); len(r.Entries) != 1 || r.Unreadable != 1 {
		t.Errorf("%d entries, %d unreadable; want one each", len(r.Entries), r.Unreadable)
	}
}

// A lead with very many entries takes little memory: the newest are looked at.
func TestLookIsBounded(t *testing.T) {
	for _, segment := range []int64{1, 1 << 30} {
		dir := t.TempDir()
		j := open(t, journal.Config{Dir: dir, Owner: true, Segment: segment})
		for n := range 1000 {
			if j.Add(row(n)); n%25 == 24 {
				j.Flush()
			}
		}
		r := look(t, dir, 30)
		if len(r.Entries) != 30 || !r.Cut || r.Entries[0].Revision != 970 || r.Entries[29].Revision != 999 {
			t.Errorf("segments of %d bytes: %d entries, cut %v; want the last 30", segment, len(r.Entries), r.Cut)
		}
		if r := look(t, dir, 1000); len(r.Entries) != 1000 || r.Cut {
			t.Errorf("segments of %d bytes: %d entries, cut %v; want all", segment, len(r.Entries), r.Cut)
		}
	}
}

// Anybody can have callbacks refused, and portals have much to tell of themselves: neither hides
// what happened to the lead, nor the other.
func TestManyRefusalsHideNothing(t *testing.T) {
	for _, segment := range []int64{1, 1 << 30} {
		dir := t.TempDir()
		j := open(t, journal.Config{Dir: dir, Owner: true, Segment: segment})
		add := func(n int, e journal.Entry) {
			e.At, e.MemberID = start.Add(time.Duration(n)*time.Second), member
			j.Add(e)
		}
		for n := range 5 {
			add(n, journal.Entry{Kind: journal.Read, LeadID: 17})
			add(n, journal.Entry{Kind: journal.Status})
		}
		for n := range 1000 {
			add(10+n, journal.Entry{Kind: journal.Refused})
			add(10+n, journal.Entry{Kind: journal.Refused, LeadID: 17})
			add(10+n, journal.Entry{Kind: journal.Forged, LeadID: 17})
			if n%50 == 0 {
				add(10+n, journal.Entry{Kind: journal.Outage})
				j.Flush()
			}
		}
		j.Flush()
		counts := map[journal.Kind]int{}
		r := look(t, dir, 28)
		for _, e := range r.Entries {
			counts[e.Kind]++
		}
		strangers := counts[journal.Refused] + counts[journal.Forged]
		if counts[journal.Read] != 5 || counts[journal.Status] != 5 || counts[journal.Outage] != 20 || strangers != 28 {
			t.Errorf("segments of %d bytes: %v", segment, counts)
		}
		if r.Cut || r.CutWhole || !r.CutRefused {
			t.Errorf("segments of %d bytes: cut %v, of the portal %v, of refusals %v; want only the last", segment, r.Cut, r.CutWhole, r.CutRefused)
		}
	}
}

// widest is a file that remembers its largest write.
type widest struct{ most int }

func (w *widest) Write(b []byte) (int, error) { w.most = max(w.most, len(b)); return len(b), nil }
func (w *widest) Close() error                { return nil }

// Strangers may choose texts, such as the member_id of a callback that nobody can verify yet.
func TestTextsAreWrittenInTime(t *testing.T) {
	var file widest
	j := open(t, journal.Config{Dir: t.TempDir(), Owner: true, Create: func(string) (journal.File, error) { return &file, nil }})
	for n := range 2000 {
		j.Add(journal.Entry{At: start, Kind: journal.Spooled, MemberID: strconv.Itoa(n) + strings.Repeat("m", 1000), LeadID: 17})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if file.most > 100_000 {
		t.Errorf("%d bytes were written at once, want about 64 KiB", file.most)
	}
}

// A command of another user must not make a directory that the service could not use then.
func TestOnlyTheOwnerMakesTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j := open(t, journal.Config{Dir: dir})
	j.Add(row(1))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory: %v, want none", err)
	}
}

// The segment that is being written stays, even where a command began one later and all are too
// large.
func TestRunningSegmentStays(t *testing.T) {
	dir, clock := t.TempDir(), leadstest.NewClock(start)
	j := open(t, journal.Config{Dir: dir, Owner: true, Now: clock.Now, Limit: 1})
	add := func(to *journal.Journal, n int) {
		to.Add(row(n))
		to.Flush()
		clock.Advance(time.Hour)
	}
	add(j, 1)
	add(open(t, journal.Config{Dir: dir, Now: clock.Now}), 2)
	add(j, 3)
	if n := len(told(t, dir)); n != 3 {
		t.Errorf("%d entries are left, want all 3", n)
	}
}

// A clock that was a year ahead costs nothing, and what comes later is found.
func TestClockIsSetBack(t *testing.T) {
	dir, clock := t.TempDir(), leadstest.NewClock(start.AddDate(1, 0, 0))
	for n := range 3 {
		j := open(t, journal.Config{Dir: dir, Owner: true, Now: clock.Now})
		j.Add(row(n))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		clock.Advance(start.Add(time.Duration(n) * time.Hour).Sub(clock.Now()))
	}
	if diff := cmp.Diff([]journal.Entry{row(0), row(1), row(2)}, told(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// fullFile takes a part of what is written and fails.
type fullFile struct {
	*os.File
	full *bool
}

func (f fullFile) Write(b []byte) (int, error) {
	if *f.full {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, errors.New("no space left on device")
	}
	return f.File.Write(b)
}

// A full disk stops nobody: entries are dropped and counted, and later the journal says so.
func TestFullDiskDropsEntries(t *testing.T) {
	dir, full, clock := t.TempDir(), false, leadstest.NewClock(start)
	var log bytes.Buffer
	j := open(t, journal.Config{
		Dir: dir, Owner: true, Now: clock.Now, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Create: func(path string) (journal.File, error) {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
			return fullFile{f, &full}, err
		},
	})
	add := func(n int) {
		j.Add(row(n))
		j.Flush()
		clock.Advance(time.Minute)
	}
	add(1)
	full = true
	for n := range 10 {
		add(10 + n)
	}
	full = false
	add(2)
	var got []string
	for _, e := range told(t, dir) {
		got = append(got, fmt.Sprintf("%d:%d:%d", e.Kind, e.Revision, e.Count))
	}
	want := []string{fmt.Sprintf("%d:1:0", journal.Wrote), fmt.Sprintf("%d:2:0", journal.Wrote), fmt.Sprintf("%d:0:10", journal.Gap)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if s := j.Stats(); s.Dropped != 10 || s.Taken != 12 {
		t.Errorf("%+v, want 12 taken and 10 of them dropped", s)
	}
	if n := strings.Count(log.String(), "cannot be written"); n != 1 {
		t.Errorf("said %d times that it cannot be written, want once", n)
	}
}

// While the disk hangs, entries are dropped and nobody waits; afterwards the journal says how many
// it lacks, and since when.
func TestHangingDiskStopsNobody(t *testing.T) {
	release, hangs, dir, clock := make(chan struct{}), make(chan struct{}), t.TempDir(), leadstest.NewClock(start)
	j := open(t, journal.Config{Dir: dir, Owner: true, Now: clock.Now, Create: func(path string) (journal.File, error) {
		close(hangs)
		<-release
		return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	}})
	e := row(1)
	e.LeadID, e.Fields = 18, []string{strings.Repeat("F", 1000)}
	j.Add(e)
	<-hangs
	for n := 0; n < 400_000 && j.Stats().Dropped == 0; n++ {
		e.Fields[0] = strconv.Itoa(n) + e.Fields[0][:100]
		j.Add(e)
	}
	if j.Stats().Dropped == 0 {
		t.Error("nothing was dropped: it takes memory without end")
	}
	clock.Advance(time.Hour)
	j.Add(e)
	close(release)
	j.Flush()
	want := []journal.Entry{{At: start.Add(time.Hour), Kind: journal.Gap, Since: start, Count: 2}}
	if diff := cmp.Diff(want, told(t, dir)); diff != "" {
		t.Errorf("once the disk answers (-want +got):\n%s", diff)
	}
}

// A stop does not wait for a disk that hangs.
func TestCloseGivesUpOnAHangingDisk(t *testing.T) {
	release, hangs := make(chan struct{}), make(chan struct{})
	j := open(t, journal.Config{Dir: t.TempDir(), Owner: true, Hang: time.Millisecond, Create: func(string) (journal.File, error) {
		close(hangs)
		<-release
		return nil, errors.New("gone")
	}})
	defer close(release)
	j.Add(row(1))
	<-hangs
	if err := j.Close(); err == nil {
		t.Error("a journal that lost entries is closed without an error")
	}
}

func TestOldSegmentsGo(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  journal.Config
		left int // of 40 hours, one entry in each
	}{
		{"by age", journal.Config{Keep: 10 * time.Hour}, 11},
		{"by size", journal.Config{Keep: 1000 * time.Hour, Segment: 1, Limit: 1000}, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := leadstest.NewClock(start)
			test.cfg.Dir, test.cfg.Owner, test.cfg.Now = t.TempDir(), true, clock.Now
			j := open(t, test.cfg)
			for n := range 40 {
				j.Add(row(n))
				j.Flush()
				clock.Advance(time.Hour)
			}
			left := told(t, test.cfg.Dir)
			if len(left) > test.left+1 || len(left) < test.left-2 || left[len(left)-1].Revision != 39 {
				t.Errorf("%d entries are left, the last of hour %d; want about %d", len(left), left[len(left)-1].Revision, test.left)
			}
		})
	}
}

func TestPlainHasNothingPersonal(t *testing.T) {
	for text, want := range map[string]string{
		"database unavailable": "database unavailable",
		`apply 3 leads: String or binary data would be truncated in table 'x', column 'y'. Truncated value: 'Иван`:          "apply 3 leads: String or binary data would be truncated in table …, column …. …",
		"apply 3 leads: mssql: String or binary data would be truncated. Truncated value: 'Иван'. (2628)":                   "apply 3 leads: error 2628 of SQL Server",
		"mssql: The duplicate key value is (Иванов Иван, Москва). (2601)\nmssql: The statement has been terminated. (3621)": "error 2601, 3621 of SQL Server",
		"a trigger rolled the transaction back: mssql: client Ivanov Ivan is on the black list (50001)":                     "a trigger rolled the transaction back: error 50001 of SQL Server",
		"mssql: Ivanov": "an error of SQL Server",
		"duplicate key value is (Иванов Иван, Москва). Terminated": "duplicate …. Terminated",
		`'O'Brien John', 'it''s' and 'Ivan`:                        "…, … and …",
		"the portal's handlers are not bound, 'x'":                 "the portal's handlers are not bound, …",
		"of “Ivan” and «Анна»":                                     "of … and …",
		`value "Ivan" of ivan@example.com, +7 (912) 345-67-89`:     "value … of … …",
		"since 2026-11-26T10:00:00Z: HTTP 503":                     "since 2026-11-26T10:00:00Z: HTTP 503",
	} {
		if got := journal.Plain(text); got != want {
			t.Errorf("%s:\n%s, want\n%s", text, got, want)
		}
	}
}

// A journal that is off takes everything and does nothing.
func TestNoJournal(t *testing.T) {
	var j *journal.Journal
	j.Add(row(1))
	j.Flush()
	if err := j.Close(); err != nil || j.Stats() != (journal.Stats{}) {
		t.Errorf("%v, %+v", err, j.Stats())
	}
}

func BenchmarkAdd(b *testing.B) {
	j := open(b, journal.Config{Dir: b.TempDir(), Owner: true})
	e := row(1)
	for b.Loop() {
		e.LeadID++
		j.Add(e)
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(j.Stats().Bytes)/float64(b.N), "B/entry")
	b.ReportMetric(float64(j.Stats().Dropped), "dropped")
}

// BenchmarkLook looks for one lead in a journal of the largest size.
func BenchmarkLook(b *testing.B) {
	dir := b.TempDir()
	j := open(b, journal.Config{Dir: dir, Owner: true})
	for n := 0; j.Stats().Bytes < 250<<20; n++ {
		e := row(n)
		e.LeadID = int64(1 + n%1_000_000)
		if j.Add(e); n%1000 == 0 {
			j.Flush()
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if len(told(b, dir)) == 0 {
			b.Fatal("not found")
		}
	}
}
