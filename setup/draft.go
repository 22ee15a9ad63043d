package setup

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"path/filepath"
)

// draft is the settings file until it is written. Every question adds to it.
type draft struct {
	given    Answers // by flags
	former   former
	answers  answers // those that are kept: the former file's, the flags', the person's
	takeOver bool    // the database has a call centre's tables

	person dialogue
	court  court
	trials Trials
}

// newDraft has what is known before a question is asked.
func newDraft(cfg Config) (*draft, error) {
	d := &draft{given: cfg.Given, answers: answers{}, trials: cfg.Trials, person: dialogue{terminal: cfg.Person, language: cfg.Language, out: cfg.Out}}
	if cfg.Force {
		var err error
		if d.former, err = readFormer(cfg.Output); err != nil {
			return nil, err
		}
	}
	d.court = court{person: d.person, former: d.former, untried: cfg.Untried, paint: cfg.Paint}
	maps.Copy(d.answers, d.former.answers)
	for name, value := range cfg.Given.Others {
		d.answers.put(name, value)
	}
	if !d.answers.has(webhookURL) && (d.answers.has(webhookToken) || d.answers.has(memberID)) {
		d.answers.put(webhookURL, cfg.Given.Webhook) // it has its turn later, and nothing can read the two without it
	}
	data, err := filepath.Abs(cmp.Or(cfg.Given.DataDir, d.former.answers[dataDir], cfg.DataDir))
	if err != nil {
		return nil, fmt.Errorf("the data directory: %w", err)
	}
	d.answers[dataDir] = data
	if !d.answers.has(secretKey) {
		d.answers[secretKey] = newKey()
	}
	return d, nil
}

// newKey is a value for LEADSYNC_SECRET_KEY.
func newKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return base64.StdEncoding.EncodeToString(key)
}

// check tells whether the service can read the draft.
func (d *draft) check() error {
	_, err := d.court.read(d.answers)
	return err
}

// known is what need not be asked for: without a person that is the former file's value, too.
func (d *draft) known(name, flag string) string {
	known := cmp.Or(flag, d.given.Others[name])
	if !d.person.there() {
		known = cmp.Or(known, d.answers[name])
	}
	return known
}

// try keeps answers that stand their trial.
func (d *draft) try(ctx context.Context, a answers, t trial) (kept bool, err error) {
	if kept, err = d.court.try(ctx, a, t); kept {
		d.answers = a
	}
	return kept, err
}
