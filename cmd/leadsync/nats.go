package main

import (
	"errors"
	"fmt"

	"leadsync/events"
	"leadsync/events/broker"
)

type natsAccountsCmd struct {
	Prefix string `help:"The prefix that LEADSYNC_NATS_PREFIX names."`

	Names []string `arg:"" help:"Names of subscribers: lower-case letters and digits, such as billing."`
}

// Run prints the accounts of a NATS server that runs by itself.
func (n natsAccountsCmd) Run(a *app) error {
	for _, name := range n.Names {
		if !broker.ValidName(name) {
			return usageError{errors.New("a subscriber's name has lower-case letters and digits only, such as billing")}
		}
	}
	if n.Prefix != "" && !events.ValidPrefix(n.Prefix) {
		return usageError{errors.New("--prefix: up to 32 lower-case letters, digits and hyphens, a letter first, such as berlin")}
	}
	text, err := broker.Accounts(n.Prefix, n.Names...)
	if err == nil {
		_, err = fmt.Fprint(a.stdout, text)
	}
	return err
}
