package service

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"leadsync/events"
	"leadsync/leads"
)

// DeadAction is what is done with dead letters.
type DeadAction string

// What is done with them.
const (
	ListDead   DeadAction = "list"
	ShowDead   DeadAction = "show" // with what the portal sent
	ReplayDead DeadAction = "replay"
	DropDead   DeadAction = "drop"
)

// deadDoing is what an action is doing while it takes long; "" where it takes no time.
var deadDoing = map[DeadAction]string{ShowDead: "Looking up payloads", ReplayDead: "Asking for the leads again", DropDead: "Forgetting"}

// deadDone is what an action has made of leads; deadNothing is what is said where it found none.
var (
	deadDone = map[DeadAction]string{
		ListDead: "given up; `leadsync dead show` shows what the portal sent, `leadsync dead replay` has them read again",
		ShowDead: "given up; `leadsync dead replay` has them read again", ReplayDead: "will be read again", DropDead: "forgotten",
	}
	deadNothing = map[DeadAction]string{ReplayDead: ": there is nothing to read again", DropDead: ": there is nothing to forget"}
)

// DeadFilter chooses dead letters; all that is given must fit.
type DeadFilter struct {
	Portal    string        // its member_id or its domain
	Lead      int64         // 0 is any
	Reason    string        // contains this text
	OlderThan time.Duration // since the last failure
}

// Fits tells whether it chooses the letter, whatever the portal.
func (f DeadFilter) Fits(d events.DeadLetter, now time.Time) bool {
	return (f.Lead == 0 || d.Ref.LeadID == f.Lead) && strings.Contains(d.Reason, f.Reason) && max(0, now.Sub(d.LastAt)) >= f.OlderThan
}

// DeadReport is what was done with which dead letters.
type DeadReport struct {
	Action  DeadAction `json:"action"`
	Count   int        `json:"count"`
	Letters []DeadView `json:"letters"`

	chosen bool // by a filter: there may be others
}

// DeadView is a dead letter as it is printed.
type DeadView struct {
	Portal   string          `json:"portal"`
	Lead     int64           `json:"lead"`
	Event    string          `json:"event"`
	Reason   string          `json:"reason"`
	Attempts int             `json:"attempts"`
	FirstAt  time.Time       `json:"first_at"`
	LastAt   time.Time       `json:"last_at"`
	Payload  json.RawMessage `json:"payload,omitempty"` // of ShowDead
}

// Each does something with every letter that fits, and reports.
func (d DeadLetters) Each(ctx context.Context, action DeadAction, f DeadFilter, wait *Waiting) (DeadReport, error) {
	report := DeadReport{Action: action, Letters: []DeadView{}, chosen: f != DeadFilter{}}
	member, err := MemberOf(ctx, d.db, f.Portal)
	if err != nil {
		return report, err
	}
	doing := deadDoing[action]
	if doing != "" {
		wait.Begin(doing)
	}
	letters, err := d.Of(ctx, member)
	if err != nil {
		return report, err
	}
	for _, letter := range letters {
		if !f.Fits(letter, d.now()) {
			continue
		}
		report.Count++
		if doing != "" {
			wait.Update(doing + ": " + leads.Amount(int64(report.Count), "letter"))
		}
		v, err := d.one(ctx, action, letter)
		if err != nil {
			return report, fmt.Errorf("%s %s: %w", action, letter.Ref, err)
		}
		report.Letters = append(report.Letters, v)
	}
	return report, nil
}

// one does it with a letter.
func (d DeadLetters) one(ctx context.Context, action DeadAction, letter events.DeadLetter) (v DeadView, err error) {
	v = DeadView{
		Portal: letter.Ref.MemberID, Lead: letter.Ref.LeadID, Event: letter.Event, Reason: letter.Reason,
		Attempts: letter.Attempts, FirstAt: letter.FirstAt, LastAt: letter.LastAt,
	}
	switch action {
	case ListDead:
	case ShowDead:
		v.Payload, err = d.payload(ctx, letter.Ref)
	case ReplayDead:
		err = d.Replay(ctx, letter)
	case DropDead:
		err = d.Drop(ctx, letter.Ref)
	}
	return v, err
}

// payload is what the portal sent of a lead, as a text where it is not JSON; nil where it is not kept.
func (d DeadLetters) payload(ctx context.Context, ref leads.Ref) (json.RawMessage, error) {
	payload, _, err := d.db.FailedPayload(ctx, ref)
	if err != nil || payload == "" {
		return nil, err
	}
	if raw := json.RawMessage(payload); json.Valid(raw) {
		return raw, nil
	}
	return json.Marshal(payload)
}

// WriteText writes a line for each letter, and how many there are.
func (r DeadReport) WriteText(out io.Writer) error {
	if r.Count == 0 {
		_, err := fmt.Fprintln(out, r.nothing())
		return err
	}
	for _, v := range r.Letters {
		_, err := fmt.Fprintf(out, "%s  %s/%d  %s  %s since %s  %s\n", v.LastAt.Local().Format(time.DateTime), v.Portal, v.Lead,
			v.Event, leads.Amount(int64(v.Attempts), "attempt"), v.FirstAt.Local().Format(time.DateTime), leads.OneLine(v.Reason))
		if err == nil && len(v.Payload) > 0 {
			_, err = fmt.Fprintf(out, "    %s\n", v.Payload)
		}
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%s %s\n", leads.Amount(int64(r.Count), "lead"), deadDone[r.Action])
	return err
}

// nothing says that there was no letter.
func (r DeadReport) nothing() string {
	if r.chosen {
		return "no lead that fits was given up" + deadNothing[r.Action] + " (`leadsync dead` lists all that were)"
	}
	return "no lead was given up" + deadNothing[r.Action]
}
