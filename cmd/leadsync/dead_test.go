package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/service"
)

// openDeadLetters makes a data directory with two dead letters. vars are its environment.
func openDeadLetters(t *testing.T) (vars map[string]string, count func() (letters, notices int64, failing int)) {
	t.Helper()
	vars = map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_NATS_LISTEN": "127.0.0.1:0"}
	cfg, err := service.ReadConfig(environmentOf(vars))
	if err != nil {
		t.Fatal(err)
	}
	with := func(do func(*service.Backend)) {
		b, err := service.Open(t.Context(), cfg, leadstest.Silent())
		if err != nil {
			t.Fatal(err)
		}
		do(b)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	with(func(b *service.Backend) {
		for id, reason := range map[int64]string{1: "a poem", 2: "too long"} {
			ref := leads.Ref{MemberID: "abc", LeadID: id}
			_, err := b.DB.CountFailure(t.Context(), ref, "ONCRMLEADADD", reason, func(int) time.Time { return time.Time{} })
			if err == nil {
				err = b.DB.RecordFailure(t.Context(), ref, reason, []byte(`{"ID":"`+reason+`"}`))
			}
			if err == nil {
				err = events.PublishDead(t.Context(), b.NATS.Bus(), events.DeadLetter{
					Notice: events.Notice{Ref: ref, Event: "ONCRMLEADADD"}, Reason: reason, Attempts: 5,
					FirstAt: time.Now().Add(-time.Hour), LastAt: time.Now().Add(-time.Minute),
				})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	return vars, func() (letters, notices int64, failing int) {
		with(func(b *service.Backend) {
			var errs [3]error
			letters, errs[0] = events.Depth(t.Context(), b.NATS.Bus(), events.StreamDead)
			notices, errs[1] = events.Depth(t.Context(), b.NATS.Bus(), events.StreamNotices)
			var list []leads.Failing
			list, errs[2] = b.DB.Failing(t.Context(), "abc")
			failing = len(list)
			for _, err := range errs {
				if err != nil {
					t.Fatal(err)
				}
			}
		})
		return letters, notices, failing
	}
}

func TestDeadLetterCommands(t *testing.T) {
	for _, test := range []struct {
		name             string
		args             string
		code             int
		chosen           []int64
		letters, notices int64
		failing          int
	}{
		{"list all", "dead list --json", 0, []int64{1, 2}, 2, 0, 2},
		{"list by reason", "dead list --reason poem --json", 0, []int64{1}, 2, 0, 2},
		{"list by lead", "dead list --lead 2 --json", 0, []int64{2}, 2, 0, 2},
		{"list by portal", "dead list --portal other --json", 0, nil, 2, 0, 2},
		{"list by age", "dead list --older-than 30s --json", 0, []int64{1, 2}, 2, 0, 2},
		{"list by an age no letter has", "dead list --older-than 1h --json", 0, nil, 2, 0, 2},
		{"list by an age in days", "dead list --older-than 0d --json", 0, []int64{1, 2}, 2, 0, 2},
		{"list by more days", "dead list --older-than 7d --json", 0, nil, 2, 0, 2},
		{"an age that is none", "dead list --older-than week", 2, nil, 2, 0, 2},
		{"show", "dead show --lead 1 --json", 0, []int64{1}, 2, 0, 2},
		{"replay", "dead replay --lead 1 --json", 0, []int64{1}, 1, 1, 1},
		{"drop", "dead drop --lead 1 --json", 0, []int64{1}, 1, 0, 1},
		{"drop all", "dead drop --all --json", 0, []int64{1, 2}, 0, 0, 0},
		{"drop without a selection", "dead drop --json", 2, nil, 2, 0, 2},
		{"an invalid member id", "dead list --portal a.b", 2, nil, 2, 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			vars, count := openDeadLetters(t)
			var out, log strings.Builder
			if code := run(t.Context(), strings.Fields(test.args), around(vars, &out, &log)); code != test.code {
				t.Fatalf("exit %d: %s", code, log.String())
			}
			if test.code == 0 {
				var report deadReport
				if err := json.Unmarshal([]byte(out.String()), &report); err != nil || report.Count != len(test.chosen) {
					t.Fatalf("%v: %s", err, out.String())
				}
				for i, v := range report.Letters {
					if v.Attempts != 5 || (string(v.Payload) == "") != !strings.Contains(test.args, "show") {
						t.Errorf("letter %d: %+v", i, v)
					}
				}
			}
			letters, notices, failing := count()
			if letters != test.letters || notices != test.notices || failing != test.failing {
				t.Errorf("%d letters, %d notices, %d failing", letters, notices, failing)
			}
		})
	}
}

func TestDeadLettersArePrintedAsText(t *testing.T) {
	vars, _ := openDeadLetters(t)
	var out, log strings.Builder
	if code := run(t.Context(), []string{"dead", "show", "--lead", "1"}, around(vars, &out, &log)); code != 0 {
		t.Fatal(log.String())
	}
	for _, want := range []string{"abc/1", "5 attempts", "a poem", `{"ID":"a poem"}`, "1 lead given up: dead letters"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}
