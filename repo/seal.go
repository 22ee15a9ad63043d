package repo

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"leadsync/guide"
	"leadsync/leads"
)

// An encrypted value is "enc:v1:<key id>:<base64 of nonce and text>". A value that does not
// begin with "enc:" is plain text.
const (
	sealPrefix = "enc:"
	sealV1     = "enc:v1:"
)

// sealer encrypts secrets at rest with AES-256-GCM, so that a stolen database does not
// reveal them. The zero sealer stores plain text.
type sealer struct {
	aead cipher.AEAD
	id   string // first 8 hex digits of the key's SHA-256
}

func newSealer(key []byte) (sealer, error) {
	if len(key) == 0 {
		return sealer{}, nil
	}
	if len(key) != 32 {
		return sealer{}, fmt.Errorf("secret key: has %d bytes, want 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return sealer{}, err
	}
	sum := sha256.Sum256(key)
	return sealer{aead: aead, id: hex.EncodeToString(sum[:4])}, nil
}

// Seal returns the form in which the database keeps a secret: encrypted where a key is set.
func (d *DB) Seal(secret leads.Secret) string { return d.sealer.seal(secret) }

// Unseal returns the secret of its stored form. It is an error where that is damaged, or encrypted with another key than the
// one that is set.
func (d *DB) Unseal(stored string) (leads.Secret, error) { return d.sealer.unseal(stored) }

// seal returns the stored form of a secret; an empty one stays empty.
func (s sealer) seal(secret leads.Secret) string {
	if s.aead == nil || secret == "" {
		return secret.Reveal()
	}
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program instead
	box := s.aead.Seal(nonce, nonce, []byte(secret.Reveal()), nil)
	return sealV1 + s.id + ":" + base64.StdEncoding.EncodeToString(box)
}

// formerKey is what to do where the key is not that of the stored secrets.
const formerKey = "set LEADSYNC_SECRET_KEY to the key with which it was stored, or authorize the portal again"

// unreadable is a stored secret that cannot be read.
func unreadable(err error, advice string) error {
	return guide.At(guide.Key, AdvisedError{err, advice})
}

// unseal returns the secret of its stored form.
func (s sealer) unseal(stored string) (leads.Secret, error) {
	if !strings.HasPrefix(stored, sealPrefix) {
		return leads.Secret(stored), nil
	}
	id, encoded, ok := strings.Cut(strings.TrimPrefix(stored, sealV1), ":")
	if !ok || !strings.HasPrefix(stored, sealV1) {
		return "", unreadable(errors.New("a stored secret is encrypted in a form that this version does not know"), "run the version of leadsync that stored it, or authorize the portal again")
	}
	if s.aead == nil {
		return "", unreadable(fmt.Errorf("%w: a stored secret is encrypted with key %s, and no key is set", leads.ErrMisconfigured, id), formerKey)
	}
	if id != s.id {
		return "", unreadable(fmt.Errorf("%w: a stored secret is encrypted with key %s, and the given key is %s", leads.ErrMisconfigured, id, s.id), formerKey)
	}
	return s.decrypt(encoded)
}

func (s sealer) decrypt(encoded string) (leads.Secret, error) {
	box, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(box) < s.aead.NonceSize() {
		return "", unreadable(errors.New("a stored secret is damaged"), "authorize the portal again")
	}
	plain, err := s.aead.Open(nil, box[:s.aead.NonceSize()], box[s.aead.NonceSize():], nil)
	if err != nil {
		return "", unreadable(errors.New("a stored secret is damaged"), "authorize the portal again")
	}
	return leads.Secret(plain), nil
}
