package portals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// TokenHashes keeps the SHA-256 of each portal's application_token in a small file, so
// that callbacks can be recognised while the database is down. It keeps nothing else of a
// token. The zero value has no file and is lost at a restart.
type TokenHashes struct {
	path string

	mu     sync.Mutex
	hashes map[string]string // by member_id
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

// remember stores what the database says of a portal; "" removes the portal.
func (t *TokenHashes) remember(memberID, hash string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hashes[memberID] == hash {
		return nil
	}
	if t.hashes == nil {
		t.hashes = map[string]string{}
	}
	t.hashes[memberID] = hash
	if hash == "" {
		delete(t.hashes, memberID)
	}
	return t.save()
}

// save writes a new file beside the old one and renames it.
func (t *TokenHashes) save() error {
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
// database can be read for the first time.
func (r *Registry) Learn(ctx context.Context) error {
	portals, err := r.cfg.Store.Portals(ctx)
	if err != nil {
		return err
	}
	for _, p := range portals {
		if err := r.cfg.Hashes.remember(p.MemberID, p.TokenHash); err != nil {
			return err
		}
	}
	return nil
}
