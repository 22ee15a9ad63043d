package setup

import (
	"cmp"
	"context"
	"strings"
)

// askAddress asks for the address at which Bitrix24 reaches leadsync.
func askAddress(ctx context.Context, d *draft) error {
	former := d.former.answers[publicURL]
	question := d.person.words("Address at which Bitrix24 reaches leadsync, such as https://leads.example.com (Enter: none yet)")
	if former != "" {
		question = d.person.words("Address at which Bitrix24 reaches leadsync (Enter: %s; -: none yet)", former)
	}
	for answer, known := d.known(publicURL, d.given.PublicURL); ; known = false {
		var err error
		if !known {
			answer, err = d.person.line(ctx, question)
			answer = cleared(cmp.Or(answer, former))
		}
		if err != nil {
			return err
		}
		address := withScheme(answer)
		if address != answer {
			d.person.say("  https:// is missing, taken as %s", address)
		}
		ok, err := d.try(ctx, d.answers.with(publicURL, address), trial{name: publicURL, early: true, look: d.trials.Address})
		if ok || err != nil {
			return err
		}
	}
}

// withScheme completes an address that was given as a name alone.
func withScheme(address string) string {
	if address == "" || strings.Contains(address, "://") || !strings.Contains(address, ".") {
		return address
	}
	return "https://" + address
}
