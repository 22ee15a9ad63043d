package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"leadsync/events"
	"leadsync/leads"
)

const (
	lettersShown = 100
	// groupsShown is how many groups are shown: of a thousand different reasons nobody reads the last.
	groupsShown = 50
	// mostAtOnce is how many letters a click deals with: an answer does not take for ever.
	mostAtOnce = 500
)

// Letters are the dead letters.
type Letters interface {
	// All returns them, the oldest first.
	All(ctx context.Context) ([]events.DeadLetter, error)
	// Failing returns leads that could not be stored and are tried again.
	Failing(ctx context.Context) ([]leads.Failing, error)
	// Payload is what the portal sent of a lead; false where nothing is kept.
	Payload(ctx context.Context, ref leads.Ref) (string, bool, error)
	// Replay and Drop return how many were dealt with, also beside an error.
	Replay(ctx context.Context, letters []events.DeadLetter) (int, error)
	Drop(ctx context.Context, letters []events.DeadLetter) (int, error)
}

// deadPages are the pages of dead letters.
type deadPages struct{ letters Letters }

func (p deadPages) routes() map[string]route {
	return map[string]route{
		"GET /dead":               find(p.list),
		"GET /dead/{member}/{id}": find(p.letter),
		"POST /dead/replay":       find(p.replay),
		"POST /dead/drop":         find(p.drop),
		"GET /live/dead":          stream{"dead", p.again},
	}
}

// group is letters with the same reason.
type group struct {
	Key    string // for addresses and forms
	Reason string // of its first letter
	Count  int
	LastAt time.Time
	// Letters are those of a page, where the group is open.
	Letters     []events.DeadLetter
	Page, Pages int
}

// Before and After are the pages beside the one that is shown; 0 is none.
func (g *group) Before() int { return max(0, g.Page-1) }

// After is Before on the other side.
func (g *group) After() int {
	if g.Page < g.Pages {
		return g.Page + 1
	}
	return 0
}

// variable is what differs between reasons that are the same: portals, leads, numbers, times.
var variable = regexp.MustCompile(`[0-9a-fA-F]{16,}|[0-9]+`)

// keyOf is the same for letters with the same reason.
func keyOf(letter events.DeadLetter) string {
	sum := sha256.Sum256([]byte(variable.ReplaceAllString(letter.Reason, "…")))
	return hex.EncodeToString(sum[:8])
}

// groupsOf groups letters by reason, the largest group first. Only the open one has letters, those of
// one page; a group that is alone is open.
func groupsOf(letters []events.DeadLetter, open string, page int) []*group {
	byKey := map[string]*group{}
	var groups []*group
	keys := make([]string, len(letters))
	for i, letter := range letters {
		keys[i] = keyOf(letter)
		g, known := byKey[keys[i]]
		if !known {
			g = &group{Key: keys[i], Reason: letter.Reason}
			byKey[g.Key] = g
			groups = append(groups, g)
		}
		if g.Count++; letter.LastAt.After(g.LastAt) {
			g.LastAt = letter.LastAt
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return b.Count - a.Count })
	if len(groups) == 1 && open == "" {
		open = groups[0].Key
	}
	if g, known := byKey[open]; known {
		g.turnTo(page, letters, keys)
	}
	return groups
}

// turnTo gives a group the letters of one page, the newest first.
func (g *group) turnTo(page int, letters []events.DeadLetter, keys []string) {
	pages := (g.Count + lettersShown - 1) / lettersShown
	page = max(1, min(page, pages))
	skip := (page - 1) * lettersShown
	for i := len(letters) - 1; i >= 0 && len(g.Letters) < lettersShown; i-- {
		switch {
		case keys[i] != g.Key:
		case skip > 0:
			skip--
		default:
			g.Letters = append(g.Letters, letters[i])
		}
	}
	g.Page, g.Pages = page, pages
}

type deadData struct {
	Groups     []*group
	Count      int
	More       int // groups that are not shown
	MostAtOnce int
	Failing    []leads.Failing // that are tried again, the first that are shown
	FailingAll int
}

// failingShown is how many leads that are tried again are shown.
const failingShown = 100

// list lists the dead letters.
func (p deadPages) list(r *http.Request) (view, error) {
	letters, err := p.letters.All(r.Context())
	if err != nil {
		return view{}, err
	}
	open := r.URL.Query().Get("group")
	page, _ := strconv.Atoi(r.URL.Query().Get("page")) // nonsense is the first
	groups := groupsOf(letters, open, page)
	v, err := p.again(r)
	d, ok := v.data.(deadData)
	if err != nil || !ok {
		return view{}, err
	}
	d.Groups, d.Count, d.MostAtOnce = groups, len(letters), mostAtOnce
	if len(groups) > groupsShown {
		shown := groups[:groupsShown]
		if i := slices.IndexFunc(groups, func(g *group) bool { return g.Key == open }); i >= groupsShown {
			shown = append(slices.Clone(shown), groups[i])
		}
		d.Groups, d.More = shown, len(groups)-len(shown)
	}
	return view{page: "dead", data: d}, nil
}

// again lists the leads that are tried again. It is what is live of the page: letters take longer to
// read, and whoever has one replayed sees here that it fails once more.
func (p deadPages) again(r *http.Request) (view, error) {
	failing, err := p.letters.Failing(r.Context())
	return view{page: "dead", data: deadData{Failing: failing[:min(len(failing), failingShown)], FailingAll: len(failing)}}, err
}

type letterData struct {
	events.DeadLetter

	Payload string // indented where it is JSON
}

// letter shows one letter, with what the portal sent folded away.
func (p deadPages) letter(r *http.Request) (view, error) {
	ref, err := refOf(r)
	if err != nil {
		return view{}, err
	}
	letters, err := p.letters.All(r.Context())
	if err != nil {
		return view{}, err
	}
	i := slices.IndexFunc(letters, func(l events.DeadLetter) bool { return l.Ref == ref })
	if i < 0 {
		return view{}, ErrNotFound
	}
	payload, _, err := p.letters.Payload(r.Context(), ref)
	if err != nil {
		return view{}, err
	}
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(payload), "", "  ") == nil {
		payload = indented.String()
	}
	return view{page: "letter", data: letterData{DeadLetter: letters[i], Payload: payload}}, nil
}

func (p deadPages) replay(r *http.Request) (view, error) {
	chosen, err := p.chosen(r)
	if err != nil {
		return view{}, err
	}
	n, err := p.letters.Replay(r.Context(), chosen)
	return dealtWith("replayed", n, err)
}

func (p deadPages) drop(r *http.Request) (view, error) {
	chosen, err := p.chosen(r)
	if err != nil {
		return view{}, err
	}
	n, err := p.letters.Drop(r.Context(), chosen)
	return dealtWith("dropped", n, err)
}

func dealtWith(done string, n int, err error) (view, error) {
	if err != nil {
		return view{}, err
	}
	return seeOther("/dead?done=" + done + "-" + strconv.Itoa(n))
}

// chosen are the letters that a form names: one, or those of a group, at most mostAtOnce.
func (p deadPages) chosen(r *http.Request) ([]events.DeadLetter, error) {
	key, member := r.PostFormValue("group"), r.PostFormValue("portal")
	id, err := leads.ParseID(r.PostFormValue("lead"))
	one := err == nil && leads.ValidMemberID(member)
	if one == (key != "") {
		return nil, errBadForm
	}
	letters, err := p.letters.All(r.Context())
	if err != nil {
		return nil, err
	}
	var chosen []events.DeadLetter
	for _, letter := range letters {
		if len(chosen) < mostAtOnce && (one && letter.Ref == leads.Ref{MemberID: member, LeadID: id} || !one && keyOf(letter) == key) {
			chosen = append(chosen, letter)
		}
	}
	return chosen, nil
}
