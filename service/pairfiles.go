package service

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"leadsync/leads"
)

// pairRoom is the size of a file in bytes: a block of most disks. A pair takes about 700.
const pairRoom = 4096

const pairSuffix = ".json"

// pairFiles are files of one pair of tokens each. A portal's file is made before it is needed and is written in place, so
// that a full disk takes a pair, too.
type pairFiles struct {
	dir  string
	seal sealer
}

// sealer encrypts secrets as the database keeps them.
type sealer interface {
	Seal(secret leads.Secret) string
	Unseal(sealed string) (leads.Secret, error)
}

// pairRecord is the content of a file.
type pairRecord struct {
	MemberID  string    `json:"member_id"`
	Old       string    `json:"old"` // the tokens are sealed
	Refresh   string    `json:"refresh"`
	Access    string    `json:"access"`
	ExpiresAt time.Time `json:"expires_at"`
	Scope     string    `json:"scope"`
	UserID    int64     `json:"user_id"`
	ClientID  string    `json:"client_id"`
	System    bool      `json:"system"`
}

// read reads all files; what cannot be read it returns by name.
func (f pairFiles) read() (kept map[string]rotation, damaged map[string]error) {
	kept, damaged = map[string]rotation{}, map[string]error{}
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it is made with the first file
		damaged[f.dir] = err
	}
	for _, entry := range entries {
		name := filepath.Join(f.dir, entry.Name())
		if filepath.Ext(name) != pairSuffix {
			continue
		}
		switch r, full, err := f.parse(name); {
		case err != nil:
			damaged[name] = err
		case full:
			kept[r.next.MemberID] = r
		}
	}
	return kept, damaged
}

// parse reads a file; false where it keeps nothing.
func (f pairFiles) parse(name string) (r rotation, full bool, err error) {
	data, err := os.ReadFile(name) //nolint:gosec // in our data directory
	if data = bytes.TrimSpace(data); err != nil || len(data) == 0 {
		return r, false, err
	}
	var record pairRecord
	if json.Unmarshal(data, &record) != nil || record.MemberID == "" {
		return r, false, errors.New("it is damaged")
	}
	old, oldErr := f.seal.Unseal(record.Old)
	refresh, refreshErr := f.seal.Unseal(record.Refresh)
	access, accessErr := f.seal.Unseal(record.Access)
	return rotation{old, leads.Grant{
		MemberID: record.MemberID, AccessToken: access, RefreshToken: refresh, ExpiresAt: record.ExpiresAt,
		Scope: record.Scope, UserID: record.UserID, ClientID: record.ClientID, System: record.System,
	}}, true, errors.Join(oldErr, refreshErr, accessErr)
}

// write puts a pair into its portal's file.
func (f pairFiles) write(r rotation) error {
	g := r.next
	data, err := json.Marshal(pairRecord{
		MemberID: g.MemberID, Old: f.seal.Seal(r.old), Refresh: f.seal.Seal(g.RefreshToken), Access: f.seal.Seal(g.AccessToken),
		ExpiresAt: g.ExpiresAt, Scope: g.Scope, UserID: g.UserID, ClientID: g.ClientID, System: g.System,
	})
	if err != nil {
		return err
	}
	return f.fill(g.MemberID, data)
}

// empty takes the pair out of a portal's file, which keeps its room.
func (f pairFiles) empty(memberID string) error { return f.fill(memberID, nil) }

// reserve makes a portal's file.
func (f pairFiles) reserve(memberID string) error {
	if info, err := os.Stat(f.path(memberID)); err == nil && info.Size() >= pairRoom || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.fill(memberID, nil)
}

// fill writes a file, and returns when it is on disk.
func (f pairFiles) fill(memberID string, data []byte) error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(f.path(memberID), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		room := bytes.Repeat([]byte{' '}, max(pairRoom, len(data), int(info.Size()))) // nothing stays of a longer pair
		copy(room, data)
		_, err = file.WriteAt(room, 0)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// path is named by a hash: a portal's member_id comes from outside.
func (f pairFiles) path(memberID string) string {
	sum := sha256.Sum256([]byte(memberID))
	return filepath.Join(f.dir, hex.EncodeToString(sum[:16])+pairSuffix)
}
