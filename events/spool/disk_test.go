package spool_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"leadsync/events/spool"
)

// disk is a file system that loses what was not synced, as in a power cut.
type disk struct {
	mu    sync.Mutex
	files []*diskFile
	fails map[int]error // by number of the sync, from 1
	syncs int
	slow  chan struct{} // a sync waits for it; nil does not
	room  int           // bytes that can still be written, where full is set
	full  bool
}

var errNoSpace = errors.New("no space left on device")

type diskFile struct {
	disk           *disk
	path           string
	cached, synced []byte
	closed         bool
}

func (d *disk) create(path string) (spool.SegmentFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &diskFile{disk: d, path: path}
	d.files = append(d.files, f)
	return f, nil
}

func (f *diskFile) Write(b []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed {
		return 0, io.ErrClosedPipe
	}
	if f.disk.full && len(b) > f.disk.room { // what fits is written, as on a real disk
		n := f.disk.room
		f.disk.room = 0
		f.cached = append(f.cached, b[:n]...)
		return n, errNoSpace
	}
	f.disk.room -= len(b)
	f.cached = append(f.cached, b...)
	return len(b), nil
}

func (f *diskFile) Sync() error {
	if f.disk.slow != nil {
		<-f.disk.slow
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.syncs++
	if err := f.disk.fails[f.disk.syncs]; err != nil {
		f.cached = f.cached[:len(f.synced)] // the kernel drops dirty pages and says so once
		return err
	}
	f.synced = slices.Clone(f.cached)
	return nil
}

func (f *diskFile) Close() error { f.closed = true; return nil }

// powerCut opens a spool that holds only what was synced.
func (d *disk) powerCut(tb testing.TB) *spool.Spool {
	tb.Helper()
	dir := tb.TempDir()
	for _, f := range d.files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f.path)), f.synced, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return openSpool(tb, spool.Config{Dir: dir})
}
