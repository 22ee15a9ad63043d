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
	answers  answers          // those that are kept: the former file's, the flags', the person's
	takeOver bool             // the database has a call centre's tables
	ways     map[string][]way // how the person wants to connect, by serverOf

	person dialogue
	court  court
	trials Trials
}

// newDraft has what is known before a question is asked.
func newDraft(cfg Config) (*draft, error) {
	d := &draft{given: cfg.Given, answers: answers{}, ways: map[string][]way{}, trials: cfg.Trials, person: dialogue{terminal: cfg.Person, language: cfg.Language, out: cfg.Out}}
	if cfg.Force {
		var err error
		if d.former, err = readFormer(cfg.Output); err != nil {
			return nil, err
		}
	}
	d.court = court{person: d.person, former: d.former, untried: cfg.Untried, style: cfg.Style}
	maps.Copy(d.answers, d.former.answers)
	for name, value := range cfg.Given.Others {
		d.answers.put(name, value)
	}
	if cfg.Given.Portal != "" {
		d.answers[portals] = hostOf(cfg.Given.Portal)
	}
	d.takeWebhook()
	d.takeApplication()
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

// takeWebhook takes flags that have their turn later, where nothing can read a webhook, its token and its member_id one without the
// other: --set may have brought some of them.
func (d *draft) takeWebhook() {
	g := d.given
	if !d.person.there() || g.Webhook != "" || d.answers.has(webhookURL) {
		for name, value := range map[string]string{webhookToken: g.WebhookToken, memberID: g.MemberID} {
			if value != "" {
				d.answers.put(name, value)
			}
		}
	}
	if !d.answers.has(webhookURL) && (d.answers.has(webhookToken) || d.answers.has(memberID)) {
		d.answers.put(webhookURL, g.Webhook)
	}
}

// takeApplication takes the flags of an application of which --set has brought a part. Another client_id has another secret.
func (d *draft) takeApplication() {
	g, others := d.given, answers(d.given.Others)
	if !others.has(clientID) && !others.has(clientSecret) {
		return
	}
	if g.ClientID != "" {
		d.answers.put(clientID, g.ClientID)
	}
	switch {
	case g.ClientSecret != "":
		d.answers.put(clientSecret, g.ClientSecret)
	case !others.has(clientSecret) && d.answers[clientID] != d.former.answers[clientID]:
		d.answers.put(clientSecret, "")
	}
}

// newKey is a value for LEADSYNC_SECRET_KEY.
func newKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return base64.StdEncoding.EncodeToString(key)
}

// known is what need not be asked for: without a person that is the former file's value, too. The value of a secret in a file of
// its own is "".
func (d *draft) known(name, flag string) (value string, is bool) {
	others := answers(d.given.Others)
	value = cmp.Or(flag, others[name])
	if !d.person.there() {
		return cmp.Or(value, d.answers[name]), true
	}
	return value, flag != "" || others.has(name)
}

// try keeps answers that stand their trial.
func (d *draft) try(ctx context.Context, a answers, t trial) (kept bool, err error) {
	if kept, err = d.court.try(ctx, a, t); kept {
		d.answers = a
	}
	return kept, err
}
