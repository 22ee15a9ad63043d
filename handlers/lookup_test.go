package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/handlers/access"
	"leadsync/leads"
	"leadsync/repo"
	"leadsync/repo/repotest"
)

// mirrored is a lead of the emulated portal, as if it had been read.
func (h *harness) mirrored(card string) {
	h.t.Helper()
	lead, err := leads.Parse([]byte(card))
	if err != nil {
		h.t.Fatal(err)
	}
	h.applied(leads.Snapshot{Ref: leads.Ref{MemberID: h.portal.Info().MemberID, LeadID: lead.ID}, Ticket: 1, ReadAt: h.clock.Now(), Lead: lead})
}

func (h *harness) applied(s leads.Snapshot) {
	h.t.Helper()
	outcomes, err := h.db.Apply(h.t.Context(), []leads.Snapshot{s})
	if err != nil || outcomes[0].Err != nil {
		h.t.Fatal(err, outcomes)
	}
}

const (
	openLead = `{"ID":"7","TITLE":"Заявка","LAST_NAME":"Петров","NAME":"Иван","COMPANY_TITLE":"ООО «Ромашка»","ASSIGNED_BY_ID":"3",
		"STATUS_ID":"NEW","STATUS_SEMANTIC_ID":"P","DATE_CREATE":"2026-05-31T15:10:16+03:00","PHONE":[{"ID":"1","VALUE":"8 (343) 345-67-89 доб. 12"}]}`
	closedLead = `{"ID":"8","TITLE":"Старая","STATUS_SEMANTIC_ID":"S","DATE_CREATE":"2026-06-30T15:10:16+03:00","PHONE":[{"ID":"2","VALUE":"+73433456789"}]}`
)

// reply is what a request is answered.
type reply struct {
	status int
	header http.Header
	body   string
}

// asked is a request of the call centre.
func (h *harness) asked(path, token string, header ...string) reply {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.url+path, http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := h.client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, read(h.t, response)}
}

func TestLookupAnswersWhoCalls(t *testing.T) {
	h := open(t, nil)
	h.installed()
	h.mirrored(openLead)
	h.mirrored(closedLead)
	domain := host(t, h.portal.Info().Portal)
	for _, phone := range []string{"+73433456789", "%2B73433456789", "83433456789", "73433456789", "3433456789", "8%20(343)%20345-67-89", "%2B7+343+345+67+89"} {
		response := h.asked("/api/v1/lookup?phone="+phone, apiToken)
		var answer leads.Answer
		if err := json.Unmarshal([]byte(response.body), &answer); err != nil || response.status != http.StatusOK {
			t.Fatalf("%s: %d, %v", phone, response.status, err)
		}
		if answer.Count != 2 || len(answer.Leads) != 2 {
			t.Fatalf("%s: %+v", phone, answer)
		}
		first, second := answer.Leads[0], answer.Leads[1]
		if first.Rank != 1 || first.LeadID != 7 || first.Name != "Петров Иван" || first.Company != "ООО «Ромашка»" || first.ResponsibleID != "3" ||
			!first.Open || first.Extension != "12" || first.E164 != "+73433456789" || first.ReadAt.IsZero() ||
			first.CardURL != "https://"+domain+"/crm/lead/details/7/" {
			t.Errorf("%s: %+v", phone, first)
		}
		if second.Rank != 2 || second.LeadID != 8 || second.Open {
			t.Errorf("%s: %+v", phone, second)
		}
	}
	response := h.asked("/api/v1/lookup?phone=4950000000", apiToken)
	if body := strings.TrimSpace(response.body); response.status != http.StatusOK || body != `{"count":0,"leads":[]}` {
		t.Errorf("nobody: %d %s", response.status, body)
	}
}

func TestOneLeadIsAnswered(t *testing.T) {
	h := open(t, nil)
	h.installed()
	h.mirrored(openLead)
	member := h.portal.Info().MemberID
	response := h.asked("/api/v1/leads/"+strings.ToUpper(member)+"/7", apiToken)
	var card struct {
		Title    string         `json:"title"`
		Revision int            `json:"revision"`
		Lead     map[string]any `json:"lead"`
	}
	if err := json.Unmarshal([]byte(response.body), &card); err != nil || card.Title != "Заявка" || card.Revision != 1 || card.Lead["COMPANY_TITLE"] != "ООО «Ромашка»" {
		t.Errorf("%d, %v, %+v", response.status, err, card)
	}
	h.applied(leads.Snapshot{Ref: leads.Ref{MemberID: member, LeadID: 7}, Ticket: 2, Sight: leads.Absent, Proven: true})
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/api/v1/leads/" + member + "/7":          {410, "deleted"},
		"/api/v1/leads/" + member + "/9":          {404, "not_found"},
		"/api/v1/leads/" + member + "/0":          {400, "no_lead"},
		"/api/v1/leads/" + member + "/2147483648": {400, "no_lead"},
		"/api/v1/leads/a.b/7":                     {400, "no_lead"},
		"/api/v1/lookup":                          {400, "no_number"},
		"/api/v1/lookup?phone=":                   {400, "no_number"},
		"/api/v1/lookup?phone=anonymous":          {400, "no_number"},
		"/api/v1/lookup?phone=%zz":                {400, "no_number"},
	} {
		response := h.asked(path, apiToken)
		var body map[string]string
		if err := json.Unmarshal([]byte(response.body), &body); err != nil || response.status != want.status || body["error"] != want.code || body["message"] == "" {
			t.Errorf("%s: %d %v %v, want %d %s", path, response.status, body, err, want.status, want.code)
		}
	}
}

func TestOnlyTheTokenLetsAsk(t *testing.T) {
	h := open(t, nil)
	h.installed()
	h.mirrored(openLead)
	member := h.portal.Info().MemberID
	for _, path := range []string{"/api/v1/lookup?phone=83433456789", "/api/v1/leads/" + member + "/7", "/card?phone=83433456789"} {
		h.clock.Advance(time.Minute) // or the wrong tokens would be too many
		for _, token := range []string{"", "wrong", apiToken + "x", strings.ToUpper(apiToken)} {
			response := h.asked(path, token)
			if response.status != http.StatusUnauthorized || strings.Contains(response.body, "Петров") {
				t.Errorf("%s with %q: %d %s", path, token, response.status, response.body)
			}
		}
		if response := h.asked(path, "", "Authorization", "Basic "+apiToken); response.status != http.StatusUnauthorized {
			t.Errorf("%s with another scheme: %d", path, response.status)
		}
		if response := h.asked(path, "", "Authorization", "bearer "+apiToken); response.status >= 400 {
			t.Errorf("%s with a small letter: %d", path, response.status)
		}
	}
	h.clock.Advance(time.Minute)
	for _, token := range []string{apiToken, operatorToken} {
		if response := h.asked("/card?phone=83433456789&token="+token, ""); response.status != http.StatusUnauthorized {
			t.Errorf("a token of the API in the address of a card: %d", response.status)
		}
	}
	for _, path := range []string{"/api/v1/lookup?phone=83433456789", "/api/v1/leads/" + member + "/7", "/api/v1/status"} {
		if response := h.asked(path, cardToken); response.status != http.StatusUnauthorized {
			t.Errorf("%s with the token of cards: %d", path, response.status)
		}
		if response := h.asked(path, operatorToken); response.status != http.StatusUnauthorized {
			t.Errorf("%s with an operator's token, where anybody may try one: %d", path, response.status)
		}
		if response, _ := h.asOperators(path, "Authorization", "Bearer "+operatorToken); response.StatusCode != http.StatusOK {
			t.Errorf("%s with an operator's token: %d", path, response.StatusCode)
		}
	}
	if response := h.asked("/api/v1/lookup?phone=83433456789&token="+apiToken, ""); response.status != http.StatusUnauthorized {
		t.Errorf("the token in an address of the API: %d", response.status)
	}
	none := open(t, func(h *harness) { h.cfg.Calls.Judge = h.judge(access.Tokens{}) })
	for _, path := range []string{"/api/v1/lookup?phone=1234567", "/card?phone=1234567&token="} {
		if response := none.asked(path, ""); response.status != http.StatusUnauthorized {
			t.Errorf("%s of a server without a token: %d", path, response.status)
		}
	}
}

// Whoever tries tokens is slowed down and logged wherever a token opens something, on both faces.
func TestWrongTokensOfLookUpsAreSlowedDown(t *testing.T) {
	for name, path := range map[string]string{"a look-up": "/api/v1/lookup?phone=1234567", "status": "/api/v1/status", "a lead": "/api/v1/leads/m/1", "a card": "/card?phone=1234567", "a card's address": "/card?phone=1234567&token=guess"} {
		for face, ask := range map[string]func(h *harness, token string) int{
			"public": func(h *harness, token string) int { return h.asked(path, token).status },
			"operators": func(h *harness, token string) int {
				response, _ := h.asOperators(path, "Authorization", "Bearer "+token)
				return response.StatusCode
			},
		} {
			h := open(t, nil)
			answers := map[int]int{}
			for range 60 {
				answers[ask(h, "guess")]++
			}
			if answers[http.StatusUnauthorized] != 10 || answers[http.StatusTooManyRequests] != 50 {
				t.Errorf("%s at the face %s: %v", name, face, answers)
			}
			if log := h.log.String(); strings.Count(log, "wrong token") != 10 || strings.Contains(log, "guess") {
				t.Errorf("%s at the face %s, the log: %s", name, face, log)
			}
			h.clock.Advance(time.Minute)
			if got := ask(h, cardToken); got == http.StatusTooManyRequests {
				t.Errorf("%s at the face %s, a minute later: %d", name, face, got)
			}
		}
	}
}

func TestCardOpensTheBestLead(t *testing.T) {
	h := open(t, nil)
	h.installed()
	h.mirrored(closedLead)
	h.mirrored(openLead)
	stranger := leads.Snapshot{Ref: leads.Ref{MemberID: "stranger", LeadID: 1}, Ticket: 1}
	stranger.Lead, _ = leads.Parse([]byte(`{"ID":"1","PHONE":[{"ID":"1","VALUE":"4055"}]}`))
	h.applied(stranger)
	response := h.asked("/card?phone=+7+343+345-67-89&token="+cardToken, "")
	want := "https://" + host(t, h.portal.Info().Portal) + "/crm/lead/details/7/"
	if got := response.header.Get("Location"); response.status != http.StatusFound || got != want {
		t.Errorf("%d to %s, want %s", response.status, got, want)
	}
	for _, c := range []struct {
		name, path, language string
		status               int
		want                 string
	}{
		{"nobody", "/card?phone=84950000000&token=" + cardToken, "", 404, "Nobody with this number"},
		{"nobody, in Russian", "/card?phone=84950000000&token=" + cardToken, "ru-RU,ru;q=0.9,en;q=0.8", 404, "Такого номера нет ни у одного лида"},
		{"no number", "/card?phone=anonymous&token=" + cardToken, "", 400, "not a telephone number"},
		{"no token", "/card?phone=84950000000", "", 401, "token"},
		{"a portal without address", "/card?phone=4055&token=" + cardToken, "", 409, "address"},
	} {
		response := h.asked(c.path, "", "Accept-Language", c.language)
		body := response.body
		if response.status != c.status || !strings.Contains(body, c.want) || strings.Contains(body, cardToken) {
			t.Errorf("%s: %d\n%s", c.name, response.status, body)
		}
		if response.header.Get("Referrer-Policy") != "no-referrer" || response.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", c.name, response.header)
		}
	}
}

// downLookup is a database that does not answer.
type downLookup struct{}

func (downLookup) Callers(context.Context, string, int) ([]leads.Caller, error) {
	return nil, errors.New("no route to host")
}

func (downLookup) MirrorStatuses(context.Context) ([]leads.MirrorStatus, error) {
	return nil, leads.ErrUnavailable
}

func (downLookup) Card(context.Context, leads.Ref) (leads.Card, bool, error) {
	return leads.Card{}, false, errors.New("no route to host")
}

func TestNeitherNumbersNorTokensAreLogged(t *testing.T) {
	h := open(t, nil)
	h.installed()
	h.mirrored(openLead)
	failing := open(t, func(h *harness) { h.cfg.Calls.Lookup = downLookup{} })
	for _, h := range []*harness{h, failing} {
		for _, path := range []string{
			"/api/v1/lookup?phone=83433456789", "/api/v1/lookup?phone=x3433456789x&phone=2", "/card?phone=83433456789&token=" + cardToken,
			"/card?phone=83433456789&token=wrong" + cardToken, "/api/v1/leads/m/7?phone=3433456789", "/card/3433456789?token=" + cardToken,
		} {
			h.asked(path, apiToken)
		}
		for _, secret := range []string{"3433456789", apiToken, cardToken, url.QueryEscape(cardToken), "Петров"} {
			if strings.Contains(h.log.String(), secret) {
				t.Errorf("the log shows %s:\n%s", secret, h.log)
			}
		}
	}
	if !strings.Contains(failing.log.String(), "no route to host") {
		t.Errorf("the log does not say what is wrong:\n%s", failing.log)
	}
	response := failing.asked("/api/v1/lookup?phone=83433456789", apiToken)
	var body map[string]string
	if err := json.Unmarshal([]byte(response.body), &body); err != nil || response.status != http.StatusServiceUnavailable {
		t.Errorf("%d, %v", response.status, err)
	}
	if diff := cmp.Diff("unavailable", body["error"]); diff != "" {
		t.Error(diff)
	}
}

// TestLookupTimes prints how long an operator's telephone system waits among a million
// leads: measured, not asserted.
func TestLookupTimes(t *testing.T) {
	if os.Getenv("LEADSYNC_TEST_SCALE") == "" {
		t.Skip("takes minutes: make test-scale")
	}
	const many, rounds = 1_000_000, 10_000
	url := "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")
	db, err := repo.Open(t.Context(), repo.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	repotest.Fill(t, url, many)
	h := open(t, func(h *harness) { h.cfg.Calls.Lookup = db })
	var took []time.Duration
	for range rounds {
		path := "/api/v1/lookup?phone=+7" + repotest.FilledDigits(1+rand.IntN(many))
		begin := time.Now()
		response := h.asked(path, apiToken)
		if body := response.body; response.status != http.StatusOK || strings.HasPrefix(body, `{"count":0`) {
			t.Fatal(response.status, body)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	t.Logf("%d leads, HTTP: p50 %v, p99 %v, p99.9 %v", many, took[rounds/2], took[rounds*99/100], took[rounds*999/1000])
}
