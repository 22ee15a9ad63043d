package console_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"leadsync/handlers/console"
	"leadsync/journal"
	"leadsync/leads"
)

var (
	verbs  = regexp.MustCompile(`%[a-z]`)
	places = regexp.MustCompile(`%\[(\d)\]s`)
)

func cyrillic(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) })
}

// Both languages have every sentence, and each value of it.
func TestPhrasesHaveTheSameValuesInBothLanguages(t *testing.T) {
	for _, p := range console.Phrases() {
		var all []string
		for i := range verbs.FindAllString(p.Format, -1) {
			all = append(all, strconv.Itoa(i+1))
		}
		for language, text := range map[string]string{"English": p.English, "Russian": p.Russian} {
			var has []string
			for _, found := range places.FindAllStringSubmatch(text, -1) {
				has = append(has, found[1])
			}
			slices.Sort(has)
			if has = slices.Compact(has); !slices.Equal(has, all) {
				t.Errorf("%q: %s has the values %v of %v: %q", p.Format, language, has, all, text)
			}
			if rest := places.ReplaceAllString(text, ""); strings.Contains(rest, "%") {
				t.Errorf("%q: %s has another verb: %q", p.Format, language, text)
			}
		}
		if letters := strings.ContainsFunc(verbs.ReplaceAllString(p.Format, ""), unicode.IsLetter); letters && !cyrillic(p.Russian) {
			t.Errorf("%q has no Russian", p.Format)
		}
	}
}

// notShown are texts in those files that no page shows: leadsync why prints them, or an error has them.
var notShown = regexp.MustCompile(`after the event arrived|^2006-|^callbacks of $`)

// assembled are those into which other sentences are put: the catalogue has what comes of it.
var assembled = []string{"The mirror has no row of the lead, and no event of it %s here since %s%s.", "the event of %s %s and was stored as notice %d"}

// spokenIn are the texts in a source file that look like a part of a sentence, but for those of logs.
func spokenIn(t *testing.T, file string) (all []string) {
	t.Helper()
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(source, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && (strings.HasSuffix(f.Sel.Name, "Context") || f.Sel.Name == "Errorf" || f.Sel.Name == "New" || f.Sel.Name == "Fprintf") {
				return false
			}
		}
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING || strings.HasPrefix(literal.Value, "`json") {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.TrimSpace(verbs.ReplaceAllString(text, "")), " ") && !notShown.MatchString(text) {
			all = append(all, text)
		}
		return true
	})
	return all
}

// A sentence that another package changes or adds is shown in English on Russian pages until the
// catalogue has it.
func TestEverySentenceOfOthersIsRetold(t *testing.T) {
	plain := func(text string) string { return strings.Trim(verbs.ReplaceAllString(text, "%"), " .:;,%()") }
	var known []string
	for _, p := range console.Phrases() {
		known = append(known, verbs.ReplaceAllString(p.Format, "%"))
	}
	n := 0
	for _, file := range []string{
		"../../journal/answer.go", "../../journal/notes.go", "../../journal/notices.go", "../../journal/timeline.go", "../../journal/words.go", "../../service/why.go",
		"../../service/readiness.go", "../../service/trial.go", "../../owner/health.go", "../../owner/mirror.go", "../../reconcile/explainer.go",
	} {
		for _, text := range spokenIn(t, file) {
			n++
			if part := plain(text); !console.Known(text) && !slices.Contains(assembled, text) && !slices.ContainsFunc(known, func(format string) bool { return strings.Contains(format, part) }) {
				t.Errorf("%s: ru.po lacks %q", file, text)
			}
		}
	}
	if n < 150 {
		t.Errorf("only %d texts were looked at", n)
	}
}

// The examination is in the reader's language, too. Its package grows: a text that is new there is shown
// in English, and most must not be.
func TestMostOfTheExaminationIsRetold(t *testing.T) {
	var lacking []string
	n := 0
	for _, file := range []string{"../../doctor/address.go", "../../doctor/database.go", "../../doctor/machine.go", "../../doctor/nats.go", "../../doctor/portal.go", "../../repo/health.go", "../../repo/preflightchecks.go"} {
		for _, text := range spokenIn(t, file) {
			part, known := strings.Trim(verbs.ReplaceAllString(text, "%"), " .:;,%()"), console.Known(text)
			for _, p := range console.Phrases() {
				known = known || strings.Contains(verbs.ReplaceAllString(p.Format, "%"), part)
			}
			if n++; !known {
				lacking = append(lacking, text)
			}
		}
	}
	if n < 100 || 10*len(lacking) > n {
		t.Errorf("of %d texts the catalogue lacks %d: %q", n, len(lacking), lacking)
	} else {
		t.Logf("of %d texts the catalogue lacks %q", n, lacking)
	}
	h := furnished("plain")
	h.examined.Checks = []console.Check{{Name: "disk", Level: "warning", Found: "812 MB are free on the disk of /var/lib/leadsync", Means: "the spool may grow to 1 GB while NATS or the database is down", Do: "have 2 GB free"}}
	for text, want := range map[string]string{
		"portals": "порталы", "company.bitrix24.ru: served, without a problem": "company.bitrix24.ru: обслуживается без неполадок",
		"127.0.0.1:8924: plan ru_std250, so leadsync's limits are those of standard":                               "127.0.0.1:8924: тариф ru_std250, поэтому лимиты leadsync – standard",
		"room: not checked: the room on the server's disk, on which the log grow: look there (they use 12 MB now)": "место: не проверено: место на диске сервера, на котором растёт журнал транзакций: посмотрите там (сейчас занято 12 MB)",
		"UPDATE STATISTICS dbo.bitrix_leads, and leave AUTO_UPDATE_STATISTICS on":                                  "выполните UPDATE STATISTICS dbo.bitrix_leads и не выключайте AUTO_UPDATE_STATISTICS",
		"version 15.0.4375.4, Standard Edition (64-bit)":                                                           "версия 15.0.4375.4, Standard Edition (64-bit)",
		"version 2.15.2": "версия 2.15.2",
		"event ONCRMLEADADD arrived and was stored as notice 4 within 2.5ms":                  "получено событие: лид добавлен (ONCRMLEADADD, уведомление 4, записано за 0,0025 с)",
		"it differs from that of company.bitrix24.ru by 0s":                                   "расходятся с часами company.bitrix24.ru на 0 с",
		"it differs from that of company.bitrix24.ru by 1h2m0s":                               "расходятся с часами company.bitrix24.ru на 1 ч 2 мин",
		"copies of each stream: 0":                                                            "копий каждого потока: 0",
		"no answer from the database within 20s":                                              "база не отвечает 20 с",
		"open SQL Server 127.0.0.1:1, database d: database unavailable":                       "SQL Server 127.0.0.1:1, база d: не открывается",
		"company.bitrix24.ru: it does not answer: Post \"https://p/rest/1/[redacted]/\": EOF": "company.bitrix24.ru: не отвечает: Post \"https://p/rest/1/[скрыто]/\": EOF",
		"the login lacks SELECT on dbo.bitrix_leads":                                          "у имени входа нет права SELECT на dbo.bitrix_leads",
	} {
		if got := console.RetoldPlain("ru", text); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
	wantInOrder(t, open(t, h).page("/doctor", "Accept-Language", "ru"), ">диск<", "на диске /var/lib/leadsync свободно 812 МБ", "до 1 ГБ", "нужно 2 ГБ свободных")
}

// english are words that only English sentences have.
var english = regexp.MustCompile(`(?i)\b(?:the|was|were|and|of|by|for|not|is|has|from|since|because)\b`)

// A story as package journal tells it has no English sentence on a Russian page.
func TestStoryIsToldInRussian(t *testing.T) {
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	ref := leads.Ref{MemberID: member, LeadID: 17}
	known := journal.Known{
		Portal: leads.Portal{Domain: "company.bitrix24.ru"}, Now: at.Add(24 * time.Hour), Since: at.Add(-time.Hour), Kept: at.Add(-30 * 24 * time.Hour),
		Row: &leads.Row{Revision: 3}, Journal: journal.Record{Oldest: at.Add(-time.Minute), Cut: true, CutWhole: true, CutRefused: true, Damaged: 1, Unreadable: 2},
		Changes:   []leads.Revised{{Revision: 2, At: at.Add(time.Hour), Kind: leads.Changed, Cause: leads.CauseOffline, Fields: []leads.FieldChange{{Field: "TITLE"}}}},
		Failing:   &leads.Failing{Ref: ref, Reason: "TITLE", Attempts: 2, FirstAt: at, LastAt: at, NextAttemptAt: at.Add(time.Minute)},
		Status:    leads.MirrorStatus{State: leads.MirrorBlind, Since: at, Reason: "the leads have not been imported yet"},
		Incidents: []leads.Incident{{Kind: leads.IncidentDown, From: at, To: at.Add(time.Minute)}},
		Findings:  []leads.Finding{{Ref: ref, Kind: leads.FindingStale, Fields: []string{"TITLE"}, FoundAt: at, Cause: "no callback seen", Repaired: leads.Updated, Behind: time.Minute}},
		Callback:  &leads.LastCallback{Event: "ONCRMLEADUPDATE", ReceivedAt: at.Add(2 * time.Hour)},
	}
	for kind := journal.Received; kind <= journal.Gap; kind++ {
		e := journal.Entry{
			At: at, Kind: kind, MemberID: member, LeadID: 17, Event: "ONCRMLEADUPDATE", Sequence: uint64(kind), Since: at.Add(-time.Second), Took: 20 * time.Millisecond, Waited: time.Second, Ticket: 9, Count: 2, Revision: 3,
			Word: map[journal.Kind]string{journal.Refused: "wrong_token", journal.Read: "present", journal.Wrote: "updated", journal.Found: "missed", journal.Status: "behind", journal.Outage: "silence"}[kind],
		}
		if kind == journal.Wrote {
			e.Cause, e.Fields = string(leads.CauseReconcile), []string{"TITLE", "NAME"}
		}
		known.Journal.Entries = append(known.Journal.Entries, e)
	}
	story := journal.Assemble(ref, known)
	texts := append(slices.Clone(story.Answer), story.Notes...)
	for _, m := range story.Moments {
		texts = append(texts, m.Text)
	}
	for _, lacking := range []journal.Known{{Now: at, NoJournal: "LEADSYNC_JOURNAL_KEEP is off: only the database was asked"}, {Now: at, Below: leads.Neighbour{LeadID: 16, CreatedAt: at}, Above: leads.Neighbour{LeadID: 18, CreatedAt: at}, Incidents: known.Incidents}} {
		none := journal.Assemble(ref, lacking)
		texts = append(append(texts, none.Answer...), none.Notes...)
	}
	if len(texts) < 40 {
		t.Errorf("only %d texts", len(texts))
	}
	for _, text := range texts {
		words, detail := console.Retold("ru", text)
		if !cyrillic(words) || english.MatchString(words+" "+detail) {
			t.Errorf("%q is told as %q, %q", text, words, detail)
		}
	}
}

// What stands in journals and errors is said in words that a new operator knows, and its moments are
// those of the reader.
func TestSentencesAreInPlainWords(t *testing.T) {
	for text, want := range map[string][2]string{
		"event ONCRMLEADUPDATE arrived and was stored as notice 12 within 1.2ms":                                               {"callback received: lead changed", "ONCRMLEADUPDATE, notice 12, stored within 1.2ms"},
		"event ONCRMLEADUPDATE from the portal's own queue arrived and was stored as notice 3 within 600µs":                    {"found by Bitrix24's list of missed events: lead changed", "ONCRMLEADUPDATE, notice 3, stored within 600µs"},
		"event ONCRMLEADADD arrived and was stored as notice 4; the journal knows of no read yet":                              {"callback received: lead added; not read yet, as far as the journal knows", "ONCRMLEADADD, notice 4"},
		"it could not be compared: no answer from company.bitrix24.ru within 10s":                                              {"it could not be compared: no answer from company.bitrix24.ru within 10 s", ""},
		"the portal sent the lead, in a batch that took 812ms, because of notice 13; ticket 4.123":                             {"read from Bitrix24, because of a callback", "batch of 812ms, notice 13, read no. 4.123"},
		`the row was updated, revision 3: TITLE "a; b within 3 days" → "c (by a pass)" (by a pass), in a batch that took 12ms`: {`changed: TITLE "a; b within 3 days" → "c (by a pass)" – found by a comparison with Bitrix24`, "revision 3, batch of 12ms"},
		"revision 3 was announced to subscribers, sequence 77":                                                                 {"announced to subscribers", "revision 3, sequence 77"},
		"an error that nobody knows: %s %[1]s":                                                                                 {"an error that nobody knows: %s %[1]s", ""},
		"perhaps: the service was down from 2026-11-26T10:02:03Z to 2026-11-26T11:02:03Z: 100%s":                               {"perhaps: the service was down from 2026-11-26T10:02:03Z to 2026-11-26T11:02:03Z: 100%s", ""},
	} {
		if words, detail := console.Retold("en", text); words != want[0] || detail != want[1] {
			t.Errorf("%q is told as %q, %q", text, words, detail)
		}
	}
	h := furnished("plain")
	h.story.Answer = []string{"The event of 2026-11-26 10:02:03 UTC was not read yet, as far as this machine knows."}
	h.overview.Problems = map[string]string{"portal p": "notices: failing since 2026-11-26T10:02:03Z: <b>"}
	o := open(t, h)
	moment := `<time datetime="2026-11-26T10:02:03Z">2026-11-26 10:02:03 UTC</time>`
	wantInOrder(t, o.page(lead17), "The callback of "+moment+" has not been read yet")
	wantInOrder(t, o.page("/", "Accept-Language", "ru"), "портал p", "чтение лидов: не работает с "+moment+": &lt;b&gt;")
}

// Moments in sentences are shown as all others, however they are written there.
func TestMomentsInSentencesAreShownAsAllOthers(t *testing.T) {
	h := furnished("plain")
	o := open(t, h)
	for text, want := range map[string]string{
		"between 2026-11-26 10:02:03 UTC (lead 12) and":        `between <time datetime="2026-11-26T10:02:03Z">2026-11-26 10:02:03 UTC</time> (lead 12) and`,
		"at 2026-11-26 10:02:03 UTC.":                          `at <time datetime="2026-11-26T10:02:03Z">2026-11-26 10:02:03 UTC</time>.`,
		"at 2026-11-26T10:02:03Z: x":                           `at <time datetime="2026-11-26T10:02:03Z">2026-11-26 10:02:03 UTC</time>: x`,
		"at 2026-11-26T10:02:03.5+03:00":                       `at <time datetime="2026-11-26T07:02:03Z">2026-11-26 07:02:03 UTC</time>`,
		"its log-in ends on 2026-11-26 10:02 +03:00":           `its log-in ends on <time datetime="2026-11-26T07:02:00Z">2026-11-26 07:02:00 UTC</time>`,
		"the next one starts at 2026-11-27 03:00 +03:00 (MSK)": `the next one starts at 2026-11-27 03:00 +03:00 (MSK)`,
		"at 2026-99-26 10:02:03 UTC <b>":                       `at 2026-99-26 10:02:03 UTC &lt;b&gt;`,
	} {
		h.examined.Checks = []console.Check{{Level: "ok", Found: text}}
		if page := o.page("/doctor"); !strings.Contains(page, ">"+strings.ReplaceAll(want, "+", "&#43;")+"<") && !strings.Contains(page, ">"+want+"<") {
			t.Errorf("%q is not shown as %s: %s", text, want, page)
		}
	}
}

// Whoever sends texts with many parts does not keep the pages busy: some are retold, the others are
// left as they are.
func TestRetellingIsBounded(t *testing.T) {
	for text, word := range map[string]string{
		strings.Repeat("perhaps: ", 3000): "возможно", "x" + strings.Repeat(": failing since x", 3000): "не работает", "the mirror is x" + strings.Repeat(" (by a pass)", 3000): "найдено сверкой",
		"the mirror is x" + strings.Repeat(", for about 1s", 3000): "примерно", "the mirror is x" + strings.Repeat("; repair: x", 3000): "исправление", "the row: x" + strings.Repeat(": the row: x", 3000): "строка",
	} {
		words, _ := console.Retold("ru", text)
		if n := strings.Count(words, word); n < 1 || n > 64 {
			t.Errorf("%.40s… is retold %d times", text, n)
		}
	}
}
