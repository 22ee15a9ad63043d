package console

import (
	"bytes"
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
	// mostAtOnce is how many letters a click deals with: an answer does not take for ever.
	mostAtOnce = 500
)

// group is letters with the same reason.
type group struct {
	Key    string // for addresses and forms
	Reason string // of its first letter
	Count  int
	LastAt time.Time
	// Letters are the newest, where the group is open.
	Letters []events.DeadLetter
}

// variable is what differs between reasons that are the same: portals, leads, numbers, times.
var variable = regexp.MustCompile(`[0-9a-fA-F]{16,}|[0-9]+`)

// keyOf is the same for letters with the same reason.
func keyOf(letter events.DeadLetter) string {
	sum := sha256.Sum256([]byte(variable.ReplaceAllString(letter.Reason, "…")))
	return hex.EncodeToString(sum[:8])
}

// groupsOf groups letters by reason, the largest group first. Only the open one has letters.
func groupsOf(letters []events.DeadLetter, open string) []*group {
	byKey := map[string]*group{}
	var groups []*group
	for _, letter := range letters {
		key := keyOf(letter)
		g, known := byKey[key]
		if !known {
			g = &group{Key: key, Reason: letter.Reason}
			byKey[key] = g
			groups = append(groups, g)
		}
		if g.Count++; letter.LastAt.After(g.LastAt) {
			g.LastAt = letter.LastAt
		}
		if key == open {
			g.Letters = append(g.Letters, letter)
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return b.Count - a.Count })
	for _, g := range groups {
		slices.Reverse(g.Letters)
		g.Letters = g.Letters[:min(len(g.Letters), lettersShown)]
	}
	return groups
}

type deadData struct {
	Groups     []*group
	Count      int
	Open       string
	MostAtOnce int
}

// dead lists the dead letters.
func (c *Console) dead(r *http.Request) (view, error) {
	letters, err := c.cfg.Letters.All(r.Context())
	if err != nil {
		return view{}, err
	}
	open := r.URL.Query().Get("group")
	groups := groupsOf(letters, open)
	if len(groups) == 1 && open == "" {
		open = groups[0].Key
		groups = groupsOf(letters, open)
	}
	return view{page: "dead", data: deadData{Groups: groups, Count: len(letters), Open: open, MostAtOnce: mostAtOnce}}, nil
}

type letterData struct {
	events.DeadLetter

	Payload string // indented where it is JSON
}

// letter shows one letter, with what the portal sent folded away.
func (c *Console) letter(r *http.Request) (view, error) {
	ref, err := refOf(r)
	if err != nil {
		return view{}, err
	}
	letters, err := c.cfg.Letters.All(r.Context())
	if err != nil {
		return view{}, err
	}
	i := slices.IndexFunc(letters, func(l events.DeadLetter) bool { return l.Ref == ref })
	if i < 0 {
		return view{}, errNotFound
	}
	payload, _, err := c.cfg.Letters.Payload(r.Context(), ref)
	if err != nil {
		return view{}, err
	}
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(payload), "", "  ") == nil {
		payload = indented.String()
	}
	return view{page: "letter", data: letterData{DeadLetter: letters[i], Payload: payload}}, nil
}

func (c *Console) replay(r *http.Request) (view, error) {
	chosen, err := c.chosen(r)
	if err != nil {
		return view{}, err
	}
	n, err := c.cfg.Letters.Replay(r.Context(), chosen)
	return dealtWith("replayed", n, err)
}

func (c *Console) drop(r *http.Request) (view, error) {
	chosen, err := c.chosen(r)
	if err != nil {
		return view{}, err
	}
	n, err := c.cfg.Letters.Drop(r.Context(), chosen)
	return dealtWith("dropped", n, err)
}

func dealtWith(done string, n int, err error) (view, error) {
	if err != nil {
		return view{}, err
	}
	return seeOther("/dead?done=" + done + "-" + strconv.Itoa(n))
}

// chosen are the letters that a form names: one, or those of a group, at most mostAtOnce.
func (c *Console) chosen(r *http.Request) ([]events.DeadLetter, error) {
	key, member := r.PostFormValue("group"), r.PostFormValue("portal")
	id, err := leads.ParseID(r.PostFormValue("lead"))
	one := err == nil && leads.ValidMemberID(member)
	if one == (key != "") {
		return nil, errBadForm
	}
	letters, err := c.cfg.Letters.All(r.Context())
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
