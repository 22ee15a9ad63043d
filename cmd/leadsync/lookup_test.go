package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/leads"
)

// lookup sends a request as the telephone system does.
func (s *testServer) lookup(t *testing.T, path, token string) (status int, body string, header http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.admin()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Header
}

// token is a token that the first start has generated.
func (s *testServer) token(t *testing.T, name string) string {
	t.Helper()
	kept, err := os.ReadFile(filepath.Join(s.vars["LEADSYNC_DATA_DIR"], name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(kept))
}

func TestLookupFindsTheCallersLead(t *testing.T) {
	t.Parallel()
	s := serveImported(t, 5, noPasses)
	path := filepath.Join(s.vars["LEADSYNC_DATA_DIR"], "api-token")
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file: %v, %v", info.Mode(), err)
	}
	token, cardToken := strings.TrimSpace(string(kept)), s.token(t, "card-token")
	id, _ := s.portal.RandomID()
	set := func(number string) {
		t.Helper()
		if err := s.portal.Edit(id, map[string]any{"PHONE": []any{map[string]any{"VALUE": number, "VALUE_TYPE": "WORK"}}}); err != nil {
			t.Fatal(err)
		}
	}
	set("8 (343) 000-11-22 доб. 5")
	var answer leads.Answer
	eventually(t, "the number is found", func() bool {
		status, body, _ := s.lookup(t, "/api/v1/lookup?phone=+73430001122", token)
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		return answer.Count == 1
	})
	found := answer.Leads[0]
	if found.LeadID != id || found.Extension != "5" || found.Rank != 1 || !strings.HasPrefix(found.CardURL, "https://"+host(s.portal.Info().Portal)+"/crm/lead/details/") {
		t.Errorf("%+v", found)
	}
	if status, _, header := s.lookup(t, "/card?phone=83430001122&token="+cardToken, ""); status != http.StatusFound || header.Get("Location") != found.CardURL {
		t.Errorf("the card: %d, %s", status, header.Get("Location"))
	}
	if got := jsonOf[leads.Answer](t, s, "lookup", "8 343 000 11 22"); got.Count != 1 || got.Leads[0] != found {
		t.Errorf("the command finds %+v, HTTP %+v", got, found)
	}
	code, stdout, _ := command(t.Context(), t, s.vars, "lookup", "+74950000000")
	if code != exitOK || !strings.Contains(stdout, "no lead has this number") {
		t.Errorf("nobody: exit %d, %s", code, stdout)
	}
	if code, _, stderr := command(t.Context(), t, s.vars, "lookup", "anonymous"); code != exitUsage || !strings.Contains(stderr, "telephone number") {
		t.Errorf("no number: exit %d, %s", code, stderr)
	}
	if code := s.stop(); code != exitOK {
		t.Errorf("serve ended with %d", code)
	}
	for _, secret := range []string{token, cardToken, "3430001122", "000-11-22"} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log shows %s", secret)
		}
	}
	if !strings.Contains(s.log.String(), "api-token") {
		t.Error("the log does not say where the token is")
	}
	if again, err := os.ReadFile(path); err != nil || string(again) != string(kept) {
		t.Errorf("the token has changed: %v", err)
	}
}
