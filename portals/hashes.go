package portals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// saveAgain is how long a file that could not be written is left alone.
const saveAgain = 10 * time.Second

// TokenHashes keeps the SHA-256 of each portal's application_token in a small file, so
// that callbacks can be recognised while the database is down. It keeps nothing else of a
// token. The zero value has no file and is lost at a restart.
type TokenHashes struct {
	path string

	mu      sync.Mutex
	hashes  map[string]string // by member_id, as Portal.TokenHash has them
	changes int               // how often they have changed
	unsaved bool              // the file lacks a change
	failed  time.Time         // when it could not be written
}

// OpenTokenHashes reads the file. A missing or damaged file counts as empty: Learn fills
// it again from the database.
func OpenTokenHashes(path string) (*TokenHashes, error) {
	t := &TokenHashes{path: path}
	data, err := os.ReadFile(path) //nolint:gosec // in our data directory
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the hashes of tokens: %w", err)
	}
	if json.Unmarshal(data, &t.hashes) != nil {
		t.hashes = nil
	}
	return t, nil
}

// hash returns the hash of a portal's token; false where none is known.
func (t *TokenHashes) hash(memberID string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	hash, ok := t.hashes[memberID]
	return hash, ok
}

// remember stores what the database says of a portal; "" removes the portal. It tries
// again to write what could not be written before.
func (t *TokenHashes) remember(memberID, hash string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hashes[memberID] != hash {
		if t.hashes == nil {
			t.hashes = map[string]string{}
		}
		t.hashes[memberID] = hash
		if hash == "" {
			delete(t.hashes, memberID)
		}
		t.changed()
	}
	return t.save(now)
}

// version counts the changes.
func (t *TokenHashes) version() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changes
}

// replace stores what the database says of all portals, unless something has changed since
// a version: then what was read may be older.
func (t *TokenHashes) replace(all map[string]string, version int, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if version == t.changes && !maps.Equal(all, t.hashes) {
		t.hashes = all
		t.changed()
	}
	return t.save(now)
}

func (t *TokenHashes) changed() {
	t.changes++
	t.unsaved, t.failed = true, time.Time{}
}

// save writes the file where it lacks a change.
func (t *TokenHashes) save(now time.Time) error {
	if since := now.Sub(t.failed); !t.unsaved || since >= 0 && since < saveAgain {
		return nil
	}
	if err := t.write(); err != nil {
		t.failed = now
		return err
	}
	t.unsaved = false
	return nil
}

// write writes a new file beside the old one and renames it.
func (t *TokenHashes) write() error {
	if t.path == "" {
		return nil
	}
	data, err := json.Marshal(t.hashes)
	if err != nil {
		return fmt.Errorf("write the hashes of tokens: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(t.path), filepath.Base(t.path)+".*")
	if err != nil {
		return fmt.Errorf("write the hashes of tokens: %w", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), t.path)
	}
	if err != nil {
		return fmt.Errorf("write the hashes of tokens: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// Learn stores the hashes of all portals, as the database has them. It is called when the
// database can be read for the first time, and now and then: portals come, change and go
// through other processes, too.
func (r *Registry) Learn(ctx context.Context) error {
	version := r.cfg.Hashes.version()
	portals, err := r.cfg.Store.Portals(ctx)
	if err != nil {
		return err
	}
	hashes := make(map[string]string, len(portals))
	for _, p := range portals {
		if p.TokenHash != "" {
			hashes[p.MemberID] = p.TokenHash
		}
	}
	r.warnUnsaved(ctx, r.cfg.Hashes.replace(hashes, version, r.cfg.Now()))
	return nil
}

// rememberHash keeps the hash of a portal for the time that the database is down; ""
// removes it.
func (r *Registry) rememberHash(ctx context.Context, memberID, hash string) {
	r.warnUnsaved(ctx, r.cfg.Hashes.remember(memberID, hash, r.cfg.Now()))
}

// warnUnsaved logs that the file was not written: no reason to stop, it only helps while
// the database is down.
func (r *Registry) warnUnsaved(ctx context.Context, err error) {
	if err != nil {
		r.cfg.Log.WarnContext(ctx, "hashes of tokens not saved, trying again; after a restart without the database callbacks wait until they can be verified", "error", err)
	}
}
