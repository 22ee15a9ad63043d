package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/handlers/access"
)

func TestTokensAreKeptOrConfigured(t *testing.T) {
	data := &dataDir{path: t.TempDir()}
	first, err := accessTokens(Config{}, data)
	if err != nil || first.Read == first.Operate || first.Read == first.Card || first.Operate == first.Card {
		t.Fatalf("not three tokens: %v", err)
	}
	for token, want := range map[string]access.Right{
		first.Read.Reveal(): access.Read, first.Operate.Reveal(): access.Operate, first.Card.Reveal(): access.Card, "": access.None,
	} {
		if got := first.Right(token); got != want || token != "" && len(token) < shortestToken {
			t.Errorf("a token of %d characters gives %d, want %d", len(token), got, want)
		}
	}
	if second, err := accessTokens(Config{}, data); err != nil || second != first {
		t.Errorf("the next start has others: %v", err)
	}
	given := Config{APIToken: "given by a person", Admin: Admin{OperatorToken: "given to another", CardToken: "given to browsers"}}
	if got, err := accessTokens(given, data); err != nil || got != (access.Tokens{Read: given.APIToken, Operate: given.Admin.OperatorToken, Card: given.Admin.CardToken}) {
		t.Errorf("the configured ones do not count: %v", err)
	}
	for _, file := range []string{apiTokenFile, operatorTokenFile, cardTokenFile} {
		path := filepath.Join(data.path, file)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
		kept, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("short\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := accessTokens(Config{}, data); err == nil || !strings.Contains(err.Error(), "delete the file") || strings.Contains(err.Error(), "short\n") {
			t.Errorf("a short one in %s: %v", file, err)
		}
		if err := os.WriteFile(path, kept, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
