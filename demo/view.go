package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"leadsync/leads"
	"leadsync/retry"
)

// view shows a demonstration: one status line a second on a terminal, plain lines
// elsewhere, nothing before the end with --json.
type view struct {
	out      io.Writer
	demo     *demo
	json     bool
	terminal bool

	mu sync.Mutex // of out
}

// run shows the status until the context ends.
func (v *view) run(ctx context.Context) error {
	if v.json {
		return nil
	}
	interval := 5 * time.Second
	if v.terminal {
		interval = time.Second
	}
	for retry.Wait(ctx, interval) == nil {
		v.status()
	}
	return nil
}

func (v *view) status() {
	v.mu.Lock()
	defer v.mu.Unlock()
	begin, end := "", "\n"
	if v.terminal {
		begin, end = "\r\x1b[K", ""
	}
	d := v.demo
	stats := d.portal.Stats()
	fmt.Fprintf(v.out, "%s%4.0f s   arrived %d   read %d   written %d   published %d   lost %d   repaired %d%s", begin,
		time.Since(d.started).Seconds(), d.service.Portals.Stats.Received.Load(), d.service.Stats.Read.Load(),
		d.service.Stats.Outcomes(leads.Inserted)+d.service.Stats.Outcomes(leads.Updated)+d.service.Stats.Outcomes(leads.Deleted),
		d.service.Stats.Published.Load(), stats.CallbacksLost, d.repaired.Load(), end)
}

// chapter says what happens next.
func (v *view) chapter(title string) {
	if v.json {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	begin := ""
	if v.terminal {
		begin = "\r\x1b[K"
	}
	fmt.Fprintf(v.out, "%s-- %s\n", begin, title)
}

// close prints the result: the JSON object, or a table that explains itself.
func (v *view) close(r Result) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.json {
		return json.NewEncoder(v.out).Encode(r)
	}
	begin := "\n"
	if v.terminal {
		begin = "\r\x1b[K\n"
	}
	_, err := fmt.Fprintf(v.out, `%sWhat happened
  callbacks that reached leadsync        %8d   one for each change in the portal
  callbacks lost on purpose              %8d   Bitrix24 never repeats one: these changes events missed
  leads read because of callbacks        %8d   several changes of one lead need one read
  requests to the portal                 %8d   batched, within its limit of two a second
  rows inserted, updated, deleted        %8d   %d, %d, %d; import and repairs included
  messages the subscriber received       %8d   on the NATS topic leads.%s.*

What reconciliation found
  differences that events missed         %8d
  ... repaired and announced             %8d

Is the mirror right?
  leads in the portal                    %8d
  leads in the mirror                    %8d
  differences, field by field            %8d   %s

%.1f seconds.%s
`, begin, r.CallbacksSent, r.CallbacksLost, r.Reads, r.RESTRequests, r.Inserted+r.Updated+r.Deleted, r.Inserted, r.Updated, r.Deleted,
		r.TopicMessages, v.demo.memberID(), r.MissedFound, r.MissedRepaired-r.unannounced, r.PortalLeads, r.MirrorLeads, r.Differences,
		v.words(r), r.Seconds, v.kept())
	return err
}

func (v *view) words(r Result) string {
	switch {
	case r.Differences == 0:
		return "portal and mirror are equal"
	case v.demo.opts.NoReconcile:
		return "this is what events alone would leave (--no-reconcile); first: " + r.firstDifference
	default:
		return "first: " + r.firstDifference
	}
}

func (v *view) kept() string {
	if v.demo.opts.Data == "" {
		return ""
	}
	return fmt.Sprintf(" Look around: sqlite3 %s/leadsync.db \"select sql_ID, sql_TITLE, revision from bitrix_leads limit 5\"", v.demo.opts.Data)
}
