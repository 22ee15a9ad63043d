package service

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"leadsync/events/broker"
	"leadsync/leads"
)

// firstSubscriber is the name of the subscriber that an embedded server has where the
// settings name none.
const firstSubscriber = "subscriber"

// subscribers are those of the settings, else one whose token is kept in the data directory.
func subscribers(cfg Config, data *dataDir) ([]broker.Subscriber, error) {
	switch {
	case cfg.NATSURL != Embedded:
		return nil, nil // the server knows its own
	case len(cfg.Subscribers) > 0:
		return cfg.Subscribers, nil
	case cfg.NATS.Token != "":
		return []broker.Subscriber{{Name: firstSubscriber, Token: cfg.NATS.Token.Reveal()}}, nil
	}
	token, err := keptToken(data.file("subscriber-token"))
	if err != nil {
		return nil, err
	}
	return []broker.Subscriber{{Name: firstSubscriber, Token: token.Reveal()}}, nil
}

// keptToken reads a token that is kept in a file, which the first start makes.
func keptToken(path string) (leads.Secret, error) {
	kept, err := os.ReadFile(path) //nolint:gosec // in the operator's own data directory
	if errors.Is(err, fs.ErrNotExist) {
		token := rand.Text()
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("keep a token: %w", err)
		}
		return leads.Secret(token), nil
	}
	if err != nil {
		return "", fmt.Errorf("read a token: %w", err)
	}
	token := strings.TrimSpace(string(kept))
	if len(token) < shortestToken {
		return "", fmt.Errorf("%s: no token of at least %d characters, delete the file and the next start generates one", path, shortestToken)
	}
	return leads.Secret(token), nil
}
