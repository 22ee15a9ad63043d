package service

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"leadsync/leads"
)

// apiToken lets the call centre ask: the one of the configuration, else the one kept in
// the data directory, which the first start generates.
func apiToken(cfg Config, data *dataDir) (leads.Secret, error) {
	if cfg.APIToken != "" {
		return cfg.APIToken, nil
	}
	path := apiTokenPlace(cfg, data)
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
		return "", fmt.Errorf("%s: no token of at least %d characters, delete the file and the next start generates one", path, shortestToken)
	}
	return leads.Secret(token), nil
}

// apiTokenPlace says where a person finds the token.
func apiTokenPlace(cfg Config, data *dataDir) string {
	if cfg.APIToken != "" {
		return "LEADSYNC_API_TOKEN"
	}
	return data.file("api-token")
}
