package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/owner"
	"leadsync/repo"
)

// readyLimit is how long readiness waits for the database.
const readyLimit = 2 * time.Second

const (
	// spoolAge is how old the oldest entry may be before readiness reports it although NATS
	// is connected.
	spoolAge = 30 * time.Second
	// servedWithin is how long ago an owner must have noted that it serves a portal: longer
	// than a lease takes to change hands.
	servedWithin = 30 * time.Second
)

// The components that this process can always judge; all others are behind the database.
const (
	componentNATS     = "nats"
	componentSpool    = "spool"
	componentDatabase = "database"
)

// The components of a portal are these words and its domain.
const (
	ofPortal    = "portal "
	ofCallbacks = "callbacks of "
)

// outlook is what a look at the service found.
type outlook struct {
	problems map[string]string // by component
	blind    bool              // the database did not answer, and nothing behind it is known
	portals  map[string]bool   // those that were looked at, by domain: whether this process serves them
}

func (o *outlook) report(component, reason string) {
	if reason != "" {
		o.problems[component] = reason
	}
}

// readiness knows what keeps a service from being ready.
type readiness struct {
	cfg     Config
	db      *repo.DB
	nats    *NATS
	intake  *events.Intake
	stats   *consumers.Stats
	tables  *tables
	started <-chan struct{}      // closed when the database is ready, or the service is being stopped
	owners  func() *owner.Owners // nil until database and NATS are there

	waitsFor atomic.Pointer[string] // why the start has not got the database yet, the last reason; nil without one
	natsLack atomic.Pointer[string] // the same of NATS
}

// stepFailed keeps what database or NATS lack.
func (r *readiness) stepFailed(st step, err error) {
	reason := err.Error()
	if st.name == database {
		r.waitsFor.Store(&reason)
	} else {
		r.natsLack.Store(&reason)
	}
}

// problems reports each failing component with a reason; empty is ready.
func (r *readiness) problems(ctx context.Context) map[string]string { return r.look(ctx).problems }

// look looks for problems. What waits for less than owner.PressingAfter is no problem yet, unless
// a person has to act on it.
func (r *readiness) look(ctx context.Context) *outlook {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	o := &outlook{problems: map[string]string{}, portals: map[string]bool{}}
	o.report(componentNATS, r.natsProblem())
	o.report(componentSpool, r.spoolProblem())
	o.report(componentDatabase, r.databaseProblem())
	if r.tables.problem() != "" { // the server may let nobody read what it changes
		o.blind = true
		return o
	}
	portals, err := r.db.Portals(ctx)
	ping := r.db.Ping(ctx)
	if err = cmp.Or(ping, err); err != nil {
		starting := ping == nil || r.waitsFor.Load() != nil // it makes the tables, or has said what it waits for
		if o.problems[componentDatabase] == "" || !starting {
			o.report(componentDatabase, cmp.Or(r.db.Problem(), err.Error()))
		}
		o.blind = true
		return o
	}
	o.report("outbox", r.outboxProblem(ctx))
	if len(portals) > 0 { // until then they wait for the first
		o.report("adopted leads", r.unclaimedProblem(ctx))
	}
	owned := map[string]owner.Status{}
	for _, status := range r.statuses() {
		owned[status.MemberID] = status
		o.report(ofCallbacks+status.Domain, status.Unreachable)
	}
	for _, p := range portals {
		status, ours := owned[p.MemberID]
		o.portals[p.Domain] = ours
		o.report(ofPortal+p.Domain, r.portalProblem(ctx, p, status, ours))
	}
	return o
}

// statuses are what this process knows of the portals that it owns.
func (r *readiness) statuses() []owner.Status {
	if owners := r.owners(); owners != nil {
		return owners.Statuses()
	}
	return nil
}

// notes are what people should know of the portals of this process and is no problem.
func (r *readiness) notes() map[string]string {
	notes := map[string]string{}
	for _, status := range r.statuses() {
		if status.SimpleCRM {
			notes["portal "+status.Domain] = owner.SimpleCRMNote
		}
	}
	return notes
}

// portalProblem says what is wrong with one portal, from its owner where that is this
// process, else from what its owner has stored.
func (r *readiness) portalProblem(ctx context.Context, p leads.Portal, status owner.Status, ours bool) string {
	switch {
	case p.State == leads.PortalNeedsAuthorization:
		return "needs authorization: " + p.Remedy(r.cfg.PublicURL)
	case p.State != leads.PortalActive:
		return ""
	}
	whole := ""
	if owners := r.owners(); owners != nil {
		whole = owners.Problems()[p.Domain]
	}
	switch {
	case ours:
		reason := cmp.Or(owner.Describe(status.Problems, r.cfg.Now()), whole)
		return cmp.Or(reason, r.noticeProblem(ctx, p.MemberID, status.Problems))
	case whole != "":
		return whole
	}
	standing, _, err := r.db.Standing(ctx, p.MemberID)
	switch {
	case err != nil:
		return err.Error()
	case standing.BeatAt.IsZero():
		return cmp.Or(r.noticeProblem(ctx, p.MemberID, nil), "not served yet by any leadsync process: one that runs takes it within a minute, or its log says why not")
	case r.age(standing.BeatAt) > servedWithin:
		return fmt.Sprintf("served by no leadsync process since %s: one that runs takes it within a minute, or its log says why not", standing.BeatAt.UTC().Format(time.RFC3339))
	default:
		return cmp.Or(standing.Problem, r.noticeProblem(ctx, p.MemberID, nil))
	}
}

// age is how long ago a moment was. What lies ahead was noted before the clock was set back:
// its age is 0, as that of no moment is.
func (r *readiness) age(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(0, r.cfg.Now().Sub(t))
}

// databaseProblem is what transactions have met; or what the start still has to do: before
// that, tables may lack what the commands beside this service look for.
func (r *readiness) databaseProblem() string {
	if problem := r.db.Problem(); problem != "" {
		return problem
	}
	select {
	case <-r.started:
		return ""
	default:
	}
	if making := r.tables.problem(); making != "" {
		return making
	}
	if reason := r.waitsFor.Load(); reason != nil {
		return "starting, callbacks are kept meanwhile: " + *reason
	}
	return "starting: its tables are not up to date yet; the log says what it waits for"
}

// unclaimedProblem says that leads of an adopted database belong to no portal.
func (r *readiness) unclaimedProblem(ctx context.Context) string {
	left, err := r.db.Unclaimed(ctx)
	switch {
	case err != nil:
		return err.Error()
	case left == 0:
		return ""
	}
	return fmt.Sprintf("%d leads of an adopted database belong to no portal, so reports show them beside the portals' own: run leadsync portals claim <member_id or domain>, or wait where a claim is under way", left)
}

func (r *readiness) outboxProblem(ctx context.Context) string {
	oldest, err := r.db.OutboxOldest(ctx)
	if err != nil {
		return err.Error()
	}
	if r.age(oldest) < owner.PressingAfter {
		return ""
	}
	why := "another process publishes them: its log says why"
	if err := r.stats.RelayError(); err != nil {
		why = err.Error()
	}
	return fmt.Sprintf("changes wait to be announced on NATS since %s: %s", oldest.UTC().Format(time.RFC3339), why)
}

// noticeProblem reports a notice about the portal itself that its owner has not dealt with.
func (r *readiness) noticeProblem(ctx context.Context, memberID string, problems []owner.Problem) string {
	bus := r.nats.Bus()
	if bus == nil {
		return ""
	}
	oldest, err := events.OldestPortalNotice(ctx, bus, memberID)
	if err != nil || oldest.StoredAt.IsZero() { // NATS has a line of its own
		return ""
	}
	if age := time.Since(oldest.StoredAt); age < owner.PressingAfter { // by the server's clock
		return ""
	}
	why := "the log of the portal's owner says why"
	for _, problem := range problems {
		if problem.Part == owner.PartInstallation {
			why = problem.Reason
		}
	}
	return fmt.Sprintf("a portal notice has not been processed since %s: %s", oldest.StoredAt.UTC().Format(time.RFC3339), why)
}

func (r *readiness) natsProblem() string {
	n := r.nats.side.Load()
	switch {
	case n == nil:
		if reason := r.natsLack.Load(); reason != nil {
			return "starting: callbacks are kept in the spool until it is ready (" + *reason + ")"
		}
		return "starting: callbacks are kept in the spool until it is ready; the log says what it waits for"
	case !n.nc.IsConnected():
		return r.connectionProblem(n.nc.LastError())
	}
	if problem := n.bus.Problem(); problem != nil {
		if errors.As(problem, new(*events.DeniedError)) {
			return problem.Error()
		}
		return "its streams cannot be used: callbacks are kept in the spool (" + problem.Error() + ")"
	}
	if reason := r.natsLack.Load(); reason != nil && !n.bus.Checked() {
		return "its streams cannot be used: callbacks are kept in the spool (" + *reason + ")"
	}
	if n.broker != nil {
		if problem := n.broker.Problem(); problem != "" {
			return "does not store messages: callbacks are kept in the spool until the disk has room again (" + problem + ")"
		}
	}
	if refusal := r.intake.Refusal(); refusal != nil && n.bus.Checked() && !r.intake.Avoiding() {
		return "does not store callbacks, which are kept in the spool (" + refusal.Error() + ")"
	}
	if r.intake.Avoiding() {
		return "does not store messages: callbacks are kept in the spool (is its disk full? a server that could not write has to be restarted)"
	}
	return ""
}

// connectionProblem says why there is no connection to NATS; last is the client's last error.
func (r *readiness) connectionProblem(last error) string {
	problem := "not connected to " + events.WithoutPassword(r.nats.URL())
	switch {
	case events.Refused(last):
		problem += ", which refuses leadsync's token, user or credentials (" + last.Error() + "): correct LEADSYNC_NATS_TOKEN, LEADSYNC_NATS_USER, LEADSYNC_NATS_CREDS or LEADSYNC_NATS_NKEY, or the server's configuration"
	case last != nil && !errors.Is(last, nats.ErrReconnectBufExceeded): // the latter says nothing more
		problem += " (" + last.Error() + ")"
	}
	return problem + "; callbacks are kept in the spool until it is back"
}

func (r *readiness) spoolProblem() string {
	w := r.intake.Waiting()
	switch {
	case r.intake.Losing():
		return "cannot write to disk, and NATS does not answer: callbacks are being LOST"
	case r.intake.Full():
		return fmt.Sprintf("full with %d callbacks in %d bytes: callbacks are LOST until NATS and the database are back", w.Entries, w.Bytes)
	case w.Entries > 0 && r.age(w.Oldest) > spoolAge:
		return fmt.Sprintf("%d callbacks wait on disk since %s, %d of %d bytes", w.Entries, w.Oldest.Format(time.RFC3339), w.Bytes, w.Limit)
	default:
		return ""
	}
}
