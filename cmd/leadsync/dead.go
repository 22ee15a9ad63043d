package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/service"
)

// deadCmd deals with notices that were given up.
type deadCmd struct {
	List   deadListCmd   `cmd:"" default:"withargs" help:"List dead letters." example:"leadsync dead --older-than 7d" more:"docs/trouble.md#leadsync-cannot-store-a-lead"`
	Show   deadShowCmd   `cmd:"" help:"Show dead letters with what the portal sent of the leads." example:"leadsync dead show --lead 17" more:"docs/trouble.md#leadsync-cannot-store-a-lead"`
	Replay deadReplayCmd `cmd:"" help:"Forget the failures and read these leads again." example:"leadsync dead replay --portal company.bitrix24.ru" more:"docs/trouble.md#leadsync-cannot-store-a-lead"`
	Drop   deadDropCmd   `cmd:"" help:"Forget dead letters." example:"leadsync dead drop --lead 17" more:"docs/trouble.md#leadsync-cannot-store-a-lead"`
}

// deadFilter chooses dead letters; all that is given must fit.
type deadFilter struct {
	Portal    string `help:"Only this portal's, by its member_id or its domain."`
	Lead      int64  `help:"Only this lead's."`
	Reason    string `help:"Only those whose reason contains this text."`
	OlderThan length `placeholder:"1h" help:"Only letters whose last failure is at least this old, such as 90m or 7d."`
	JSON      bool   `name:"json" help:"Print one JSON object."`
}

// deadReport is what --json prints.
type deadReport struct {
	Action  string     `json:"action"`
	Count   int        `json:"count"`
	Letters []deadView `json:"letters"`
}

// deadView is a dead letter as it is printed.
type deadView struct {
	Portal   string          `json:"portal"`
	Lead     int64           `json:"lead"`
	Event    string          `json:"event"`
	Reason   string          `json:"reason"`
	Attempts int             `json:"attempts"`
	FirstAt  time.Time       `json:"first_at"`
	LastAt   time.Time       `json:"last_at"`
	Payload  json.RawMessage `json:"payload,omitempty"`
}

type deadListCmd struct{ deadFilter }

// Run lists.
func (d deadListCmd) Run(ctx context.Context, a *app) error { return d.each(ctx, a, "list", nil) }

type deadShowCmd struct{ deadFilter }

// Run shows payloads too.
func (d deadShowCmd) Run(ctx context.Context, a *app) error {
	return d.each(ctx, a, "show", func(ctx context.Context, b *service.Backend, letter events.DeadLetter, v *deadView) error {
		payload, _, err := b.DB.FailedPayload(ctx, letter.Ref)
		if err != nil || payload == "" {
			return err
		}
		if v.Payload = json.RawMessage(payload); !json.Valid(v.Payload) {
			v.Payload, err = json.Marshal(payload)
		}
		return err
	})
}

type deadReplayCmd struct{ deadFilter }

// Run publishes the notices again.
func (d deadReplayCmd) Run(ctx context.Context, a *app) error {
	return d.each(ctx, a, "replay", func(ctx context.Context, b *service.Backend, letter events.DeadLetter, _ *deadView) error {
		return b.DeadLetters().Replay(ctx, letter)
	})
}

type deadDropCmd struct {
	deadFilter
	All bool `help:"Drop all dead letters; needed without another filter."`
}

// Run forgets letters and the failures counted for them.
func (d deadDropCmd) Run(ctx context.Context, a *app) error {
	if d.Portal == "" && d.Lead == 0 && d.Reason == "" && d.OlderThan == 0 && !d.All {
		return usageError{errors.New("dead drop: say which, by --portal, --lead, --reason or --older-than, or --all")}
	}
	return d.each(ctx, a, "drop", func(ctx context.Context, b *service.Backend, letter events.DeadLetter, _ *deadView) error {
		return b.DeadLetters().Drop(ctx, letter.Ref)
	})
}

// deadAction is what a command does with a letter, and with its view.
type deadAction func(context.Context, *service.Backend, events.DeadLetter, *deadView) error

// each does something with every letter that fits, and reports; do may be nil.
func (f deadFilter) each(ctx context.Context, a *app, action string, do deadAction) error {
	return a.join(ctx, func(b *service.Backend) (err error) {
		if f.Portal, err = service.MemberOf(ctx, b.DB, f.Portal); err != nil {
			return err
		}
		report, err := f.report(ctx, b, action, a.counted(action, do))
		if err != nil {
			return err
		}
		return report.print(a.stdout, f.JSON)
	})
}

// counted is an action that says how far it has come.
func (a *app) counted(action string, do deadAction) deadAction {
	if do == nil {
		return nil
	}
	doing, done := map[string]string{"show": "Looking up payloads", "replay": "Asking for the leads again", "drop": "Forgetting"}[action], int64(0)
	a.wait.Begin(doing)
	return func(ctx context.Context, b *service.Backend, letter events.DeadLetter, v *deadView) error {
		done++
		a.wait.Update(doing + ": " + leads.Amount(done, "letter"))
		return do(ctx, b, letter, v)
	}
}

// report does it with every letter that fits the filter.
func (f deadFilter) report(ctx context.Context, b *service.Backend, action string, do deadAction) (deadReport, error) {
	report := deadReport{Action: action, Letters: []deadView{}}
	letters, err := b.DeadLetters().Of(ctx, f.Portal)
	if err != nil {
		return report, err
	}
	for _, letter := range letters {
		if !f.fits(letter, time.Now()) {
			continue
		}
		v := viewOf(letter)
		if do != nil {
			if err := do(ctx, b, letter, &v); err != nil {
				return report, fmt.Errorf("%s %s: %w", action, letter.Ref, err)
			}
		}
		report.Letters = append(report.Letters, v)
	}
	report.Count = len(report.Letters)
	return report, nil
}

func (f deadFilter) fits(d events.DeadLetter, now time.Time) bool {
	return (f.Lead == 0 || d.Ref.LeadID == f.Lead) && strings.Contains(d.Reason, f.Reason) && max(0, now.Sub(d.LastAt)) >= time.Duration(f.OlderThan)
}

func viewOf(d events.DeadLetter) deadView {
	return deadView{
		Portal: d.Ref.MemberID, Lead: d.Ref.LeadID, Event: d.Event, Reason: d.Reason,
		Attempts: d.Attempts, FirstAt: d.FirstAt, LastAt: d.LastAt,
	}
}

func (r deadReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	for _, v := range r.Letters {
		_, err := fmt.Fprintf(out, "%s  %s/%d  %s  %s since %s  %s\n", v.LastAt.Local().Format(time.DateTime), v.Portal, v.Lead,
			v.Event, leads.Amount(int64(v.Attempts), "attempt"), v.FirstAt.Local().Format(time.DateTime), v.Reason)
		if err == nil && len(v.Payload) > 0 {
			_, err = fmt.Fprintf(out, "    %s\n", v.Payload)
		}
		if err != nil {
			return err
		}
	}
	done := map[string]string{"list": "given up: dead letters", "show": "given up: dead letters", "replay": "will be read again", "drop": "forgotten"}[r.Action]
	_, err := fmt.Fprintf(out, "%s %s\n", leads.Amount(int64(r.Count), "lead"), done)
	return err
}
