package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"leadsync/leads"
)

// apiToken lets the call centre ask: what the configuration says, else what is kept in
// the data directory, where the first start makes one up.
func (b *base) apiToken() (leads.Secret, error) {
	if b.cfg.apiToken != "" {
		return b.cfg.apiToken, nil
	}
	path := b.apiTokenPlace()
	kept, err := os.ReadFile(path) //nolint:gosec // in the operator's own data directory
	if errors.Is(err, fs.ErrNotExist) {
		token := rand.Text()
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("keep a token for the lookup: %w", err)
		}
		return leads.Secret(token), nil
	}
	if err != nil {
		return "", fmt.Errorf("read the token for the lookup: %w", err)
	}
	token := strings.TrimSpace(string(kept))
	if len(token) < shortestToken {
		return "", fmt.Errorf("%s holds no token of at least %d characters: delete it, and the next start makes one", path, shortestToken)
	}
	return leads.Secret(token), nil
}

// apiTokenPlace says where the token is to be found.
func (b *base) apiTokenPlace() string {
	if b.cfg.apiToken != "" {
		return "LEADSYNC_API_TOKEN"
	}
	return b.data.file("api-token")
}
