package events_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"leadsync/events"
)

// disk is a file system that forgets what was not synced, as a power cut makes it do.
type disk struct {
	mu    sync.Mutex
	files []*platter
	fails map[int]error // by number of the sync, from 1
	syncs int
	slow  chan struct{} // a sync waits for it; nil does not
	room  int           // bytes that can still be written, where full is set
	full  bool
}

var errNoSpace = errors.New("no space left on device")

type platter struct {
	disk           *disk
	path           string
	cached, synced []byte
	closed         bool
}

func (d *disk) create(path string) (events.SegmentFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := &platter{disk: d, path: path}
	d.files = append(d.files, p)
	return p, nil
}

func (p *platter) Write(b []byte) (int, error) {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	if p.closed {
		return 0, io.ErrClosedPipe
	}
	if p.disk.full && len(b) > p.disk.room { // what fits is written, as on a real disk
		n := p.disk.room
		p.disk.room = 0
		p.cached = append(p.cached, b[:n]...)
		return n, errNoSpace
	}
	p.disk.room -= len(b)
	p.cached = append(p.cached, b...)
	return len(b), nil
}

func (p *platter) Sync() error {
	if p.disk.slow != nil {
		<-p.disk.slow
	}
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	p.disk.syncs++
	if err := p.disk.fails[p.disk.syncs]; err != nil {
		p.cached = p.cached[:len(p.synced)] // the kernel drops dirty pages and says so once
		return err
	}
	p.synced = slices.Clone(p.cached)
	return nil
}

func (p *platter) Close() error { p.closed = true; return nil }

// powerCut writes what reached the platters into a directory and opens it.
func (d *disk) powerCut(tb testing.TB) *events.Spool {
	tb.Helper()
	dir := tb.TempDir()
	for _, p := range d.files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(p.path)), p.synced, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return openSpool(tb, events.SpoolConfig{Dir: dir})
}
