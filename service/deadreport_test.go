package service

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo/repotest"
)

// twoDeadLetters are those of the leads 1 and 2, which failed for the last time a minute ago.
func twoDeadLetters(t *testing.T) *Backend {
	t.Helper()
	b := &Backend{DB: repotest.Migrated(t), NATS: &NATS{}, Log: leadstest.Silent()}
	bus := eventstest.Bus(t)
	b.NATS.side.Store(&natsSide{bus: bus})
	for id, reason := range map[int64]string{1: "a poem", 2: "too long"} {
		ref := leads.Ref{MemberID: "abc", LeadID: id}
		_, err := b.DB.CountFailure(t.Context(), ref, "ONCRMLEADADD", reason, func(int) time.Time { return time.Time{} })
		err = errors.Join(err, b.DB.RecordFailure(t.Context(), ref, reason, []byte(`{"ID":"`+reason+`"}`)),
			events.PublishDead(t.Context(), bus, events.DeadLetter{
				Notice: events.Notice{Ref: ref, Event: "ONCRMLEADADD"}, Reason: reason, Attempts: 5,
				FirstAt: time.Now().Add(-time.Hour), LastAt: time.Now().Add(-time.Minute),
			}))
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestDeadLettersAreChosenAndDealtWith(t *testing.T) {
	for _, test := range []struct {
		name             string
		action           DeadAction
		filter           DeadFilter
		chosen           []int64
		letters, notices int64
		failing          int
	}{
		{"list all", ListDead, DeadFilter{}, []int64{1, 2}, 2, 0, 2},
		{"list by reason", ListDead, DeadFilter{Reason: "poem"}, []int64{1}, 2, 0, 2},
		{"list by lead", ListDead, DeadFilter{Lead: 2}, []int64{2}, 2, 0, 2},
		{"list by portal", ListDead, DeadFilter{Portal: "other"}, nil, 2, 0, 2},
		{"list by age", ListDead, DeadFilter{OlderThan: 30 * time.Second}, []int64{1, 2}, 2, 0, 2},
		{"list by an age no letter has", ListDead, DeadFilter{OlderThan: time.Hour}, nil, 2, 0, 2},
		{"show", ShowDead, DeadFilter{Lead: 1}, []int64{1}, 2, 0, 2},
		{"replay", ReplayDead, DeadFilter{Lead: 1}, []int64{1}, 1, 1, 1},
		{"drop", DropDead, DeadFilter{Lead: 1}, []int64{1}, 1, 0, 1},
		{"drop all", DropDead, DeadFilter{}, []int64{1, 2}, 0, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := twoDeadLetters(t)
			report, err := b.DeadLetters().Each(t.Context(), test.action, test.filter, nil)
			if err != nil || report.Count != len(test.chosen) {
				t.Fatalf("%v: %+v", err, report)
			}
			for _, v := range report.Letters {
				if !slices.Contains(test.chosen, v.Lead) || v.Attempts != 5 || json.Valid(v.Payload) != (test.action == ShowDead) {
					t.Errorf("%+v", v)
				}
			}
			letters, lettersErr := events.Depth(t.Context(), b.NATS.Bus(), events.StreamDead)
			notices, noticesErr := events.Depth(t.Context(), b.NATS.Bus(), events.StreamNotices)
			failing, failingErr := b.DB.Failing(t.Context(), "abc")
			if err := errors.Join(lettersErr, noticesErr, failingErr); err != nil {
				t.Fatal(err)
			}
			if letters != test.letters || notices != test.notices || len(failing) != test.failing {
				t.Errorf("%d letters, %d notices, %d failing", letters, notices, len(failing))
			}
		})
	}
}

func TestDeadLettersArePrintedAsText(t *testing.T) {
	b := twoDeadLetters(t)
	report, err := b.DeadLetters().Each(t.Context(), ShowDead, DeadFilter{Lead: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := report.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"abc/1", "5 attempts", "a poem", `{"ID":"a poem"}`, "1 lead given up; `leadsync dead replay`"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}

// Where no lead was given up, that is said plainly; where a filter leaves none over, that there may be others.
func TestNoDeadLettersAreSaidPlainly(t *testing.T) {
	b := twoDeadLetters(t)
	another := DeadFilter{Lead: 3}
	for _, test := range []struct {
		action DeadAction
		filter DeadFilter
		want   string
	}{
		{ListDead, another, "no lead that fits was given up (`leadsync dead` lists all that were)\n"},
		{ReplayDead, another, "no lead that fits was given up: there is nothing to read again (`leadsync dead` lists all that were)\n"},
		{DropDead, DeadFilter{}, "2 leads forgotten\n"},
		{ListDead, DeadFilter{}, "no lead was given up\n"},
		{ShowDead, DeadFilter{}, "no lead was given up\n"},
		{ReplayDead, DeadFilter{}, "no lead was given up: there is nothing to read again\n"},
		{DropDead, DeadFilter{}, "no lead was given up: there is nothing to forget\n"},
	} {
		report, err := b.DeadLetters().Each(t.Context(), test.action, test.filter, nil)
		var out strings.Builder
		if err := errors.Join(err, report.WriteText(&out)); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(out.String(), test.want) {
			t.Errorf("%s %+v: %q, want %q", test.action, test.filter, out.String(), test.want)
		}
	}
}

// A portal that nobody knows is a mistake of whoever asks.
func TestDeadLettersOfAnUnknownPortalAreNoAnswer(t *testing.T) {
	_, err := twoDeadLetters(t).DeadLetters().Each(t.Context(), ListDead, DeadFilter{Portal: "a.b"}, nil)
	if !errors.As(err, new(UsageError)) {
		t.Error(err)
	}
}
