package emulator_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/handlers/language"
)

func TestPageLoadsNothingFromOtherServers(t *testing.T) {
	b := start(t, emulator.Config{Leads: 30, Seed: 1})
	r := b.do(t, "GET", b.info.Portal+"/", "", "")
	page := string(r.body)
	for _, want := range []string{"<title>Bitrix24 portal emulator</title>", "Mass edit 1,000", `id="faults"`, `id="gauges"`, `id="callbacks"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Error("the page loads something from another server")
	}
}

// A browser gets the page in its language; every text is in the catalogue.
func TestPageIsInTheBrowsersLanguage(t *testing.T) {
	source, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`\{\{t "([^"]+)"\}\}`).FindAllStringSubmatch(string(source), -1)
	for _, text := range said {
		if !language.Has(language.Russian, text[1]) {
			t.Errorf("%q has no Russian", text[1])
		}
	}
	if len(said) < 40 {
		t.Errorf("only %d texts are in the page", len(said))
	}
	b := start(t, emulator.Config{Leads: 1, Seed: 1})
	for accept, want := range map[string][]string{
		"":                  {`<html lang="en">`, ">Add a lead<", `"the emulator does not answer"`, `toLocaleString("en")`},
		"ru-RU,ru;q=0.9,en": {`<html lang="ru">`, ">Добавить лид<", `"эмулятор не отвечает"`, `toLocaleString("ru")`},
		"de-DE,de;q=0.9,ru": {`<html lang="en">`},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", accept)
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, r)
		for _, part := range want {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("with Accept-Language %q the page lacks %s", accept, part)
			}
		}
	}
}

func TestStateShowsTheLastChangedFirst(t *testing.T) {
	b := start(t, emulator.Config{Leads: 60, Seed: 1})
	id, _ := b.RandomID()
	if err := b.Edit(id, nil); err != nil {
		t.Fatal(err)
	}
	b.hook(t, "crm.lead.list", "")
	s := b.control(t, "GET", "state", "").tree
	leads, _ := s["leads"].([]any)
	top, _ := leads[0].(map[string]any)
	if len(leads) != 20 || top["ID"] != jsonText(t, id) || s["total"] != 60.0 {
		t.Errorf("%d leads of %v, first %v, want %d", len(leads), s["total"], top["ID"], id)
	}
	used, _ := s["operating"].(map[string]any)
	if level, _ := s["bucket"].(float64); level < 0.5 || used["crm.lead.list"] != 0.02 {
		t.Errorf("bucket %v, operating %v", s["bucket"], used)
	}
}

func TestStateHasWhatThePageChoosesFrom(t *testing.T) {
	b := start(t, emulator.Config{Faults: emulator.Faults{Demoted: 21}})
	s := b.control(t, "GET", "state", "").tree
	choices, _ := s["choices"].(map[string]any)
	users, _ := s["users"].([]any)
	faults, _ := s["faults"].(map[string]any)
	for key := range choices {
		if _, ok := faults[key].(string); !ok {
			t.Errorf("there is no fault %s to choose for", key)
		}
	}
	if len(choices) != 6 || len(users) != 7 || strings.Count(jsonText(t, users), `"admin":true`) != 1 {
		t.Errorf("%v %v", choices, users)
	}
}

// What somebody can click wrong is said in their language.
func TestComplaintsAreInTheBrowsersLanguage(t *testing.T) {
	b := start(t, emulator.Config{})
	for _, test := range []struct{ method, path, body, en, ru string }{
		{"POST", "robot", `{"lead":7}`, "nothing takes events", "события никто не принимает"},
		{"POST", "open-app", `{}`, "nothing takes events", "события никто не принимает"},
		{"PATCH", "leads/7", `{}`, "the portal has no such lead", "такого лида на портале нет"},
		{"DELETE", "leads/7", ``, "the portal has no such lead", "такого лида на портале нет"},
		{"PUT", "faults", `{"unencodable":"x"}`, `got \"x\", want ids`, `указано \"x\", а нужны`},
	} {
		for lang, want := range map[string]string{"en": test.en, "ru": test.ru} {
			r := httptest.NewRequest(test.method, "/_portal/"+test.path, strings.NewReader(test.body))
			r.Header.Set("Accept-Language", lang)
			w := httptest.NewRecorder()
			b.Handler().ServeHTTP(w, r)
			if w.Code < 400 || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s in %s is answered %d %s", test.path, lang, w.Code, w.Body)
			}
		}
	}
}

// Each switch says in the reader's language what it does, and has its key for scripts beside it.
func TestEveryFaultHasWords(t *testing.T) {
	source, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, emulator.Config{})
	for key := range b.control(t, "GET", "faults", "").tree {
		if !regexp.MustCompile(`(?m)^ +` + key + `: \{\{t "[^"]+"\}\},$`).Match(source) {
			t.Errorf("the page does not say what %s does", key)
		}
	}
	for name, choices := range emulator.FaultChoices() {
		for _, choice := range choices {
			if codes := strings.HasPrefix(name, "refuse"); !codes && !regexp.MustCompile(`[ {]`+choice+`: (\{\{t )?"`).Match(source) {
				t.Errorf("the page does not say what %s of %s is", choice, name)
			}
		}
	}
}

func TestEveryFaultIsDocumented(t *testing.T) {
	text, err := os.ReadFile("FIDELITY.md")
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, emulator.Config{})
	for key := range b.control(t, "GET", "faults", "").tree {
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("FIDELITY.md does not say what %s is", key)
		}
	}
}

// So does the page of the log-in.
func TestLoginIsInTheBrowsersLanguage(t *testing.T) {
	b := start(t, emulator.Config{AskLogin: true})
	b.Install("", "http://127.0.0.1:1/callback")
	for accept, want := range map[string][]string{
		"en": {"<h1>Log-in to the portal</h1>", "(administrator, 1)", "(dismissed, 33)"},
		"ru": {"<h1>Вход на портал</h1>", "(администратор, 1)", "(уволен, 33)"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/oauth/authorize/?client_id="+b.info.ClientID, nil)
		r.Header.Set("Accept-Language", accept)
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, r)
		for _, part := range want {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("with Accept-Language %q the log-in lacks %s:\n%s", accept, part, w.Body.String())
			}
		}
	}
}
