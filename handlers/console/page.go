package console

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/handlers/access"
	"leadsync/handlers/language"
)

// pages are the templates of one language, by name.
type pages map[string]*template.Template

// pageNames are the pages there are, each a file beside layout.html.
var pageNames = []string{"overview", "passes", "pass", "search", "lead", "dead", "letter", "portals", "connect", "doctor", "settings", "failure"}

// parsePages parses every page in every language.
func parsePages() map[string]pages {
	all := map[string]pages{}
	for _, lang := range []string{language.English, language.Russian} {
		all[lang] = pages{}
		for _, name := range pageNames {
			parsed := template.New("layout.html").Funcs(funcsOf(lang))
			all[lang][name] = template.Must(parsed.ParseFS(files, "templates/layout.html", "templates/"+name+".html"))
		}
	}
	return all
}

// funcsOf are what templates of a language call.
func funcsOf(lang string) template.FuncMap {
	return template.FuncMap{
		"t":       func(text string, args ...any) string { return language.Say(lang, text, args...) },
		"when":    when,
		"since":   func(t time.Time) template.HTML { return since(lang, t) },
		"ago":     func(t time.Time) template.HTML { return ago(lang, t) },
		"label":   func(column string) template.HTMLAttr { return label(lang, column) },
		"part":    func(component string) string { return partName(lang, component) },
		"told":    func(text string) template.HTML { return told(lang, text) },
		"value":   func(text string) string { return withheld(lang, text) },
		"lasts":   func(d time.Duration) string { return lasts(lang, d) },
		"number":  func(n int64) string { return number(lang, n) },
		"seconds": func(s float64) string { return strings.ReplaceAll(seconds(lang, s), " ", "\u00a0") }, // no line ends before a unit
		"decimal": func(f float64) string { return decimal(lang, f) },
		"process": func(holder string) string { return process(lang, holder) },
		"origin":  func(from string) string { return origin(lang, from) },
		"advice":  advice,
		"short":   func(text *string) string { return cut(*text, mostChange) },
		"int":     func(n int) string { return number(lang, int64(n)) },
		"join":    func(list []string) string { return strings.Join(list, ", ") },
	}
}

// label names the column of a cell, where a narrow page shows each row as a card.
func label(lang, column string) template.HTMLAttr {
	return template.HTMLAttr(`data-label="` + template.HTMLEscapeString(language.Say(lang, column)) + `"`) //nolint:gosec // escaped
}

// frame is what every page has around its content.
type frame struct {
	Language string
	Page     string
	Caller   access.Caller
	Operates bool
	Version  string
	Done     string // what was just done, in words
	Live     string // the address of the page's stream; "" without one
	Data     any
}

// show renders a page. It is rendered as a whole before the first byte is sent: half a page
// would look like one.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, v view) {
	var text bytes.Buffer
	if err := c.render(&text, r, v, "layout.html"); err != nil {
		c.log.ErrorContext(r.Context(), "page cannot be rendered", "page", v.page, "error", err)
		http.Error(w, "This page cannot be shown; the log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // the browser may be gone
}

// render writes a page, or the part of it that is live.
func (c *Console) render(to *bytes.Buffer, r *http.Request, v view, part string) error {
	lang := language.Of(r, "")
	f := frame{
		Language: lang, Page: v.page, Caller: access.CallerOf(r.Context()), Operates: mayOperate(r), Version: c.version,
		Done: doneIn(lang, r), Live: liveOf(v.page, r), Data: v.data,
	}
	return c.pages[lang][v.page].ExecuteTemplate(to, part, f)
}

// liveOf is the stream of a page.
func liveOf(page string, r *http.Request) string {
	switch page {
	case "overview", "passes", "doctor", "dead":
		return "/live/" + page
	case "pass":
		if q := r.URL.Query(); !q.Has("kind") && !q.Has("after") { // whoever pages through findings is not interrupted
			return "/live/pass/" + r.PathValue("id")
		}
	}
	return ""
}

// done is what an action was, as the address of the next page names it, with how many things it
// was done to.
var doneWords = map[string]string{
	"started":  "The pass is requested. It begins as soon as the portal's owner is free.",
	"paused":   "The pass is paused.",
	"resumed":  "The pass goes on.",
	"replayed": "Leads to be read again: %s. Those that still cannot be stored appear below within seconds, and are not lost.",
	"dropped":  "Dead letters forgotten: %s.",
	"rebound":  "The portal's owner binds the events within a minute.",
	"invited":  "The portal may come in now: save its application's form in Bitrix24 (step 2), also if you have saved it before.",
	"removing": "The portal is being erased; that takes some seconds, with many leads some minutes.",
	"repaired": "The lead is read again within seconds; what it changes appears below.",
}

// doneIn never repeats what the address says: anybody can make an address.
func doneIn(lang string, r *http.Request) string {
	what, count, _ := strings.Cut(r.URL.Query().Get("done"), "-")
	words, known := doneWords[what]
	n, err := strconv.ParseInt(count, 10, 32)
	switch {
	case !known, strings.Contains(words, "%s") != (err == nil):
		return ""
	case err == nil:
		return language.Say(lang, words, number(lang, n))
	}
	return language.Say(lang, words)
}

// when is a moment. All moments look the same: the page's script shows them in the reader's zone.
func when(t time.Time) template.HTML { return moment(t, "") }

// since is a moment with how long ago it was.
func since(lang string, t time.Time) template.HTML { return moment(t, aged(lang)) }

// ago is how long ago a moment was; the page's script counts on.
func ago(lang string, t time.Time) template.HTML { return moment(t, aged(lang)+" data-brief") }

// aged has the page's script tell a moment's age.
func aged(lang string) string {
	return ` data-ago="` + template.HTMLEscapeString(language.Say(lang, "%s ago")) + `"`
}

func moment(t time.Time, attributes string) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	//nolint:gosec // digits, and words of ours
	return template.HTML(fmt.Sprintf(`<time datetime="%s"%s>%s UTC</time>`, t.Format(time.RFC3339), attributes, t.Format(time.DateTime)))
}

// lasts is how long something takes, in its two largest units: nobody needs the seconds of hours.
func lasts(lang string, d time.Duration) string {
	units := []struct {
		size time.Duration
		word string
	}{{24 * time.Hour, "%s d"}, {time.Hour, "%s h"}, {time.Minute, "%s min"}, {time.Second, "%s s"}}
	for i, unit := range units {
		if d < unit.size && i < len(units)-1 {
			continue
		}
		text := language.Say(lang, unit.word, number(lang, int64(d/unit.size)))
		if rest := d % unit.size; i < len(units)-1 && rest >= units[i+1].size {
			text += " " + language.Say(lang, units[i+1].word, number(lang, int64(rest/units[i+1].size)))
		}
		return text
	}
	return ""
}

// seconds is a short time in seconds.
func seconds(lang string, s float64) string { return language.Say(lang, "%s s", decimal(lang, s)) }

// process says what the name of a process in leases means: host, number of the process, and what tells it
// from an earlier one of that number. A name of another form stays as it is.
func process(lang, holder string) string {
	parts := strings.Split(holder, "/")
	if len(parts) != 3 {
		return holder
	}
	return language.Say(lang, "process %s on machine %s", parts[1], parts[0])
}

// origin says where a setting's value comes from, as package settings names it.
func origin(lang, from string) string {
	if from == "environment" || from == "default" {
		return language.Say(lang, from)
	}
	if i := strings.LastIndexByte(from, ':'); i > 0 {
		if _, err := strconv.Atoi(from[i+1:]); err == nil {
			return language.Say(lang, "file %s, line %s", from[:i], from[i+1:])
		}
	}
	return language.Say(lang, "file %s", from)
}

// decimal is a number with about three digits that matter, and none of them after a millionth.
func decimal(lang string, f float64) string {
	digits := 0
	if f != 0 {
		digits = min(max(0, 2-int(math.Floor(math.Log10(math.Abs(f))))), 6)
	}
	text := strconv.FormatFloat(f, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if lang == language.Russian {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text
}

// number groups the digits of a number as the language does.
func number(lang string, n int64) string {
	text, separator := strconv.FormatInt(n, 10), ","
	if lang == language.Russian {
		separator = "\u202f"
	}
	sign := ""
	if n < 0 {
		sign, text = "−", text[1:]
	}
	var groups []string
	for len(text) > 3 {
		groups = append(groups, text[len(text)-3:])
		text = text[:len(text)-3]
	}
	groups = append(groups, text)
	slices.Reverse(groups)
	return sign + strings.Join(groups, separator)
}
