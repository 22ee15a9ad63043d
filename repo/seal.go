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

	"leadsync/leads"
)

// sealed is how a sealed value begins: "enc:v1:<key id>:<base64 of nonce and text>".
// What does not begin with "enc:" is plain.
const (
	sealPrefix = "enc:"
	sealV1     = "enc:v1:"
)

// sealer encrypts what must not be read out of a stolen database: AES-256-GCM. The zero
// sealer leaves values plain.
type sealer struct {
	aead cipher.AEAD
	id   string // first 8 hex digits of the key's SHA-256
}

func newSealer(key []byte) (sealer, error) {
	if len(key) == 0 {
		return sealer{}, nil
	}
	if len(key) != 32 {
		return sealer{}, fmt.Errorf("secret key has %d bytes: it must have 32", len(key))
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

// close is the form in which a secret is stored; an empty one stays empty.
func (s sealer) close(secret leads.Secret) string {
	if s.aead == nil || secret == "" {
		return secret.Reveal()
	}
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program instead
	box := s.aead.Seal(nonce, nonce, []byte(secret.Reveal()), nil)
	return sealV1 + s.id + ":" + base64.StdEncoding.EncodeToString(box)
}

// open is the secret that was stored.
func (s sealer) open(stored string) (leads.Secret, error) {
	if !strings.HasPrefix(stored, sealPrefix) {
		return leads.Secret(stored), nil
	}
	id, encoded, ok := strings.Cut(strings.TrimPrefix(stored, sealV1), ":")
	if !ok || !strings.HasPrefix(stored, sealV1) {
		return "", errors.New("a stored secret is sealed in a form that this version does not know")
	}
	if s.aead == nil {
		return "", fmt.Errorf("a stored secret is sealed with key %s and no key is given: set LEADSYNC_SECRET_KEY", id)
	}
	if id != s.id {
		return "", fmt.Errorf("a stored secret is sealed with key %s, not with the given %s: "+
			"set LEADSYNC_SECRET_KEY to the former, or authorize again", id, s.id)
	}
	return s.unseal(encoded)
}

func (s sealer) unseal(encoded string) (leads.Secret, error) {
	box, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(box) < s.aead.NonceSize() {
		return "", errors.New("a stored secret is damaged: authorize again")
	}
	plain, err := s.aead.Open(nil, box[:s.aead.NonceSize()], box[s.aead.NonceSize():], nil)
	if err != nil {
		return "", errors.New("a stored secret is damaged: authorize again")
	}
	return leads.Secret(plain), nil
}
