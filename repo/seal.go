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

// unseal returns the secret of its stored form.
func (s sealer) unseal(stored string) (leads.Secret, error) {
	if !strings.HasPrefix(stored, sealPrefix) {
		return leads.Secret(stored), nil
	}
	id, encoded, ok := strings.Cut(strings.TrimPrefix(stored, sealV1), ":")
	if !ok || !strings.HasPrefix(stored, sealV1) {
		return "", errors.New("stored secret: unknown form of encryption, want enc:v1")
	}
	if s.aead == nil {
		return "", guide.At(guide.Key, fmt.Errorf("stored secret: encrypted with key %s and no key is set, set LEADSYNC_SECRET_KEY: %w", id, leads.ErrMisconfigured))
	}
	if id != s.id {
		return "", guide.At(guide.Key, fmt.Errorf("stored secret: encrypted with key %s, the given key is %s: "+
			"set LEADSYNC_SECRET_KEY to the former key, or authorize again: %w", id, s.id, leads.ErrMisconfigured))
	}
	return s.decrypt(encoded)
}

func (s sealer) decrypt(encoded string) (leads.Secret, error) {
	box, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(box) < s.aead.NonceSize() {
		return "", errors.New("stored secret: damaged, authorize again")
	}
	plain, err := s.aead.Open(nil, box[:s.aead.NonceSize()], box[s.aead.NonceSize():], nil)
	if err != nil {
		return "", errors.New("stored secret: damaged, authorize again")
	}
	return leads.Secret(plain), nil
}
