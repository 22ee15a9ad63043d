package portals

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/journal"
	"leadsync/leads"
)

// Store keeps the portals and their tokens.
type Store interface {
	Portal(ctx context.Context, memberID string) (leads.Portal, bool, error)
	Portals(ctx context.Context) ([]leads.Portal, error)
	SavePortal(ctx context.Context, p leads.Portal) error
	// Authorize stores tokens and what they say of their portal in one transaction. It
	// admits an unknown portal, with onlyFirst only where no other portal is known. False
	// means that the portal was not admitted and nothing was stored.
	Authorize(ctx context.Context, p leads.Portal, g leads.Grant, onlyFirst bool) (bool, error)
	// LearnToken stores the hash of an application_token where none is stored; false where
	// one is.
	LearnToken(ctx context.Context, memberID, tokenHash string) (bool, error)
}

// Config is what a Registry works with.
type Config struct {
	Store Store
	OAuth *bitrix24.OAuth
	// Allowed names the portals that may install or log in.
	Allowed AllowList
	// Webhook is the portal that is reached by webhooks instead of an application, nil
	// where there is none. Its MemberID may be empty: the first callback with its token
	// brings it.
	Webhook *leads.Portal
	// Hashes recognises callbacks while the database is down; nil is an empty one that is
	// lost at a restart.
	Hashes *TokenHashes
	// Keep stores a notice for the portal's owner. It returns when the entry is on disk, on
	// its stream or in the spool.
	Keep func(context.Context, events.Entry) error
	// Started is closed when the database is ready, at the start of a service; nil where it is.
	Started <-chan struct{}
	Journal *journal.Journal // refused callbacks of known portals; nil keeps none
	Now     func() time.Time
	Log     *slog.Logger
}

// Registry knows the portals. It is safe for concurrent use.
type Registry struct {
	tally

	cfg       Config
	authority authority
	admission admission
	known     cache
	checks    throttle
	verifying verifying
	kept      *bound // callbacks that wait for verification while the database answers
	deadlines learnDeadlines
}

// New returns a registry that has not read anything yet; Learn and Adopt do.
func New(cfg Config) *Registry {
	if cfg.Hashes == nil {
		cfg.Hashes = &TokenHashes{}
	}
	return &Registry{
		tally: tally{journal: cfg.Journal, now: cfg.Now, log: cfg.Log},
		cfg:   cfg, authority: authority{cfg.OAuth, cfg.Store},
		admission: admission{
			allowed: cfg.Allowed, store: cfg.Store, oauth: cfg.OAuth,
			installs: newBound(installsOfOne, installsInAll), now: cfg.Now,
		},
		known: cache{load: cfg.Store.Portal, now: cfg.Now, limit: lookupLimit, rereads: newBound(rereadsOfOne, rereadsInAll)},
		kept:  newBound(keptOfOne, keptInAll),
	}
}

// notifyOwner stores a notice for the process that owns the portal.
func (r *Registry) notifyOwner(ctx context.Context, n events.PortalNotice) error {
	entry, err := events.PortalEntry(n)
	if err != nil {
		return err
	}
	return r.cfg.Keep(ctx, entry)
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}
