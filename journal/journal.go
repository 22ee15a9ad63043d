package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// blockSize is how many bytes are written at once, if flushEvery does not come first.
	blockSize = 64 << 10
	// flushEvery is how much a kill can cost.
	flushEvery = 500 * time.Millisecond
	// queueMost is how many blocks may wait for the disk; then entries are dropped.
	queueMost = 64
	// retryFirst and retryMax are the pauses after a write that failed.
	retryFirst, retryMax = time.Second, 30 * time.Second

	defaultKeep    = 7 * 24 * time.Hour
	defaultLimit   = 256 << 20
	defaultSegment = 8 << 20
	defaultHang    = 5 * time.Second

	// ownWriter marks segments of the process that owns the directory.
	ownWriter = "s"
)

// Config says where a journal is, how long it keeps entries, and how large it may grow.
type Config struct {
	Dir     string
	Keep    time.Duration // 0 is seven days
	Limit   int64         // bytes of all segments; 0 is 256 MiB. The oldest are deleted
	Segment int64         // bytes after which a new segment begins; 0 is 8 MiB
	// Owner says that this process owns the directory: it makes it, cuts off the torn end that a
	// kill left, and deletes what is old. Other processes add segments of their own, where there
	// is a directory: one that they make might belong to a user whose files the owner cannot read.
	Owner  bool
	Hang   time.Duration                   // how long Close waits for a disk; 0 is 5 s
	Create func(path string) (File, error) // nil makes a real file
	Now    func() time.Time                // nil is time.Now
	Log    *slog.Logger                    // nil logs nothing
}

// Journal takes entries and writes them in the background. It never makes anybody wait for the
// disk: what the disk does not take is dropped and counted. It is safe for concurrent use; a nil
// Journal takes entries and forgets them.
type Journal struct {
	cfg    Config
	writer string
	wake   chan struct{}
	quit   chan struct{}
	done   chan struct{}

	taken, dropped, bytes atomic.Int64

	mu      sync.Mutex
	current *block
	queue   []*block
	missed  loss // what the queue had no room for, until the disk's part has it
	started bool
	closed  bool

	disk disk
}

// disk is the part that only the writing goroutine uses, or Flush while it holds the lock.
type disk struct {
	mu      sync.Mutex
	file    File
	path    string
	size    int64
	began   time.Time
	last    time.Time // name of the last segment: names only rise
	failing time.Time // since when writes fail; zero while they do not
	pause   time.Duration
	next    time.Time // no attempt before
	lost    loss      // what the journal has no Gap of yet
	pruned  time.Time
}

// loss is how many entries were lost, and since when.
type loss struct {
	entries int64
	since   time.Time
}

func (l *loss) add(entries int64, since time.Time) {
	if entries > 0 && (l.entries == 0 || since.Before(l.since)) {
		l.since = since
	}
	l.entries += entries
}

// Stats says how much a journal took since it was opened, and what it lost.
type Stats struct {
	Taken, Dropped, Bytes int64
}

// Open opens the journal of a directory. It creates no file before the first entry.
func Open(cfg Config) (*Journal, error) {
	if cfg.Keep == 0 {
		cfg.Keep = defaultKeep
	}
	if cfg.Limit == 0 {
		cfg.Limit = defaultLimit
	}
	if cfg.Segment == 0 {
		cfg.Segment = defaultSegment
	}
	if cfg.Hang == 0 {
		cfg.Hang = defaultHang
	}
	if cfg.Create == nil {
		cfg.Create = createFile
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	j := &Journal{cfg: cfg, writer: fmt.Sprintf("c%d", os.Getpid()), wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	if !cfg.Owner {
		if _, err := os.Stat(cfg.Dir); errors.Is(err, fs.ErrNotExist) {
			return nil, nil //nolint:nilnil // a nil journal takes entries and forgets them
		}
		return j, nil
	}
	j.writer = ownWriter
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	list, err := segments(cfg.Dir)
	if err != nil {
		return nil, err
	}
	for _, s := range slices.Backward(list) {
		if s.mine {
			j.disk.last = s.began
			j.mend(s)
			break
		}
	}
	j.prune(cfg.Now())
	return j, nil
}

// mend cuts off the torn end that a kill left, and says so; later processes find a whole file.
func (j *Journal) mend(s segment) {
	r, err := scan(s.path, nil, func([]byte) {})
	if err != nil {
		j.cfg.Log.Warn("journal cannot be read", "segment", filepath.Base(s.path), "error", err)
		return
	}
	if r.foreign || r.good == r.size {
		return // a newer version's, or whole
	}
	j.cfg.Log.Warn("the journal's end is torn, skipping it", "segment", filepath.Base(s.path), "lost_bytes", r.size-r.good)
	if err := os.Truncate(s.path, r.good); err != nil {
		j.cfg.Log.Warn("the journal's torn end cannot be cut off", "segment", filepath.Base(s.path), "error", err)
	}
}

// Add takes entries. It returns at once.
func (j *Journal) Add(entries ...Entry) {
	if j == nil || len(entries) == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	if !j.started {
		j.started = true
		go j.run()
	}
	for i := range entries {
		if len(j.queue) >= queueMost {
			j.dropped.Add(1)
			j.missed.add(1, j.cfg.Now())
			continue
		}
		if j.current == nil {
			j.current = newBlock(entries[i].At)
			j.current.began = j.cfg.Now()
		}
		j.current.add(&entries[i])
		j.taken.Add(1)
		if j.current.full() {
			j.queue, j.current = append(j.queue, j.current), nil
			j.signal()
		}
	}
}

func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// run writes until the journal is closed.
func (j *Journal) run() {
	defer close(j.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-j.quit:
			return
		case <-j.wake:
			j.write(false)
		case <-tick.C:
			j.write(true)
		}
	}
}

// Flush writes what was taken until now, or drops it.
func (j *Journal) Flush() {
	if j != nil {
		j.write(true)
	}
}

// write writes the blocks that wait; with all, also the one that is not full.
func (j *Journal) write(all bool) {
	j.disk.mu.Lock()
	defer j.disk.mu.Unlock()
	j.mu.Lock()
	blocks := j.queue
	j.queue = nil
	if all && j.current != nil {
		blocks, j.current = append(blocks, j.current), nil
	}
	j.disk.lost.add(j.missed.entries, j.missed.since)
	j.missed = loss{}
	j.mu.Unlock()
	now := j.cfg.Now()
	for _, b := range blocks {
		j.store(b, now)
	}
	if j.cfg.Owner && now.Sub(j.disk.pruned) >= time.Hour {
		j.prune(now)
	}
}

// store writes one block, or drops it: a full disk stops nobody.
func (j *Journal) store(b *block, now time.Time) {
	d := &j.disk
	if d.failing.IsZero() || !now.Before(d.next) || d.next.Sub(now) > retryMax { // the last: the clock was set back
		err := j.append(b, now)
		if err == nil {
			return
		}
		if d.failing.IsZero() {
			d.failing, d.pause = now, 0
			j.cfg.Log.Warn("the journal cannot be written, dropping entries until it can", "error", err)
		}
		d.pause = min(max(2*d.pause, retryFirst), retryMax)
		d.next = now.Add(d.pause)
	}
	d.lost.add(b.count, b.began)
	j.dropped.Add(b.count)
}

func (j *Journal) append(b *block, now time.Time) error {
	d := &j.disk
	if d.file != nil && (d.size >= j.cfg.Segment || now.Sub(d.began) >= j.cfg.Keep/14) {
		if err := j.end(); err != nil {
			return err
		}
	}
	if d.lost.entries > 0 { // writes failed, or the disk was so slow that the queue was full
		gap := newBlock(now)
		gap.add(&Entry{At: now, Kind: Gap, Since: d.lost.since, Count: d.lost.entries})
		if err := j.put(gap, now); err != nil {
			return err
		}
		j.cfg.Log.Warn("the journal can be written again", "dropped", d.lost.entries, "since", d.lost.since)
		d.failing, d.lost = time.Time{}, loss{}
	}
	return j.put(b, now)
}

// put appends a block to the segment. After a failure the segment is not used any more: its end
// is torn.
func (j *Journal) put(b *block, now time.Time) error {
	d := &j.disk
	if d.file == nil {
		if err := j.begin(now); err != nil {
			return err
		}
	}
	record := appendRecord(nil, filterOf(b.keys), b.payload())
	if d.size == 0 {
		record = append([]byte(segmentMagic), record...)
	}
	if _, err := d.file.Write(record); err != nil {
		if err = errors.Join(err, j.end()); d.size == 0 {
			return errors.Join(err, os.Remove(d.path))
		}
		return errors.Join(err, os.Truncate(d.path, d.size))
	}
	d.size += int64(len(record))
	j.bytes.Add(int64(len(record)))
	return nil
}

func (j *Journal) begin(now time.Time) error {
	d := &j.disk
	began := now.Truncate(time.Millisecond) // as names have it
	if !began.After(d.last) {
		began = d.last.Add(time.Millisecond)
	}
	if j.cfg.Owner { // somebody may have deleted the directory
		if err := os.MkdirAll(j.cfg.Dir, 0o700); err != nil {
			return err
		}
	}
	path := filepath.Join(j.cfg.Dir, segmentName(began, j.writer))
	file, err := j.cfg.Create(path)
	if err != nil {
		return err
	}
	d.file, d.path, d.size, d.began, d.last = file, path, 0, now, began
	if j.cfg.Owner {
		j.prune(now)
	}
	return nil
}

func (j *Journal) end() error {
	file := j.disk.file
	j.disk.file = nil
	return file.Close()
}

// prune deletes segments whose last entry is too old, and the oldest where all are too large.
func (j *Journal) prune(now time.Time) {
	j.disk.pruned = now
	list, err := segments(j.cfg.Dir)
	if err != nil {
		j.cfg.Log.Warn("old segments of the journal cannot be listed", "error", err)
		return
	}
	var sum int64
	for _, s := range list {
		sum += s.size
	}
	for i, s := range list {
		next := slices.IndexFunc(list[i+1:], func(later segment) bool { return later.mine })
		if next < 0 { // this process may still write it
			return
		}
		if now.Sub(list[i+1+next].began) < j.cfg.Keep && sum <= j.cfg.Limit { // when the next one began, this one had ended
			return
		}
		if err := os.Remove(s.path); err != nil {
			j.cfg.Log.Warn("an old segment of the journal cannot be deleted", "segment", filepath.Base(s.path), "error", err)
		}
		sum -= s.size
	}
}

// Stats says how much the journal took and lost.
func (j *Journal) Stats() Stats {
	if j == nil {
		return Stats{}
	}
	return Stats{Taken: j.taken.Load(), Dropped: j.dropped.Load(), Bytes: j.bytes.Load()}
}

// Close writes what is left and closes the journal. What is added later is forgotten. Where the
// disk hangs, it gives up.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	started, closed := j.started, j.closed
	j.closed = true
	j.mu.Unlock()
	if closed {
		return nil
	}
	close(j.quit)
	ended := make(chan error, 1)
	go func() { ended <- j.finish(started) }()
	select {
	case err := <-ended:
		return err
	case <-time.After(j.cfg.Hang):
		return errHangs
	}
}

// errHangs says that the disk did not take the last entries.
var errHangs = errors.New("journal: the disk does not answer, the last entries are lost")

func (j *Journal) finish(started bool) error {
	if started {
		<-j.done
	}
	j.write(true)
	j.disk.mu.Lock()
	defer j.disk.mu.Unlock()
	if j.disk.file == nil {
		return nil
	}
	return j.end()
}
