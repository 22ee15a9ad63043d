package service

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
	"leadsync/retry"
)

// storeEvery is how often the database is asked to take what is kept.
const storeEvery = 2 * time.Second

// pairs stores portals' tokens, and keeps each refreshed pair in the data directory until the database has it: the
// authorization server accepts no other any more, and the process may be killed while the database takes nothing.
type pairs struct {
	grants  bitrix24.Grants
	portals portalStates
	files   pairFiles
	log     *slog.Logger

	mu        sync.Mutex
	kept      map[string]rotation // by member_id: what the database may not have
	unwritten map[string]bool     // by member_id: it is kept in memory alone
	late      map[string]bool     // by member_id: the database did not take it at once
}

// rotation is a pair that replaces the one with the old refresh token.
type rotation struct {
	old  leads.Secret
	next leads.Grant
}

// portalStates lets a portal be served again.
type portalStates interface {
	Portal(ctx context.Context, memberID string) (leads.Portal, bool, error)
	SetPortalStateFrom(ctx context.Context, seen leads.Portal, state leads.PortalState) (bool, error)
}

// openPairs takes over what an earlier process has kept.
func openPairs(grants bitrix24.Grants, portals portalStates, files pairFiles, log *slog.Logger) *pairs {
	kept, damaged := files.read()
	for file, err := range damaged {
		log.Error("refreshed tokens that were kept in the data directory cannot be read", "file", file, "error", err)
	}
	late := make(map[string]bool, len(kept))
	for memberID := range kept {
		late[memberID] = true
	}
	return &pairs{grants: grants, portals: portals, files: files, log: log, kept: kept, unwritten: map[string]bool{}, late: late}
}

// Grants implements bitrix24.Grants. What is kept of the portal is stored first.
func (p *pairs) Grants(ctx context.Context, memberID string) ([]leads.Grant, error) {
	if _, err := p.store(ctx, memberID); err != nil {
		return nil, err
	}
	if err := p.files.reserve(memberID); err != nil {
		p.log.WarnContext(ctx, "the data directory has no room for tokens that are refreshed while the database takes nothing", "member_id", memberID, "error", err)
	}
	return p.grants.Grants(ctx, memberID)
}

// BeginRefresh implements bitrix24.Grants.
func (p *pairs) BeginRefresh(ctx context.Context, pair leads.Grant, by string, life time.Duration) (bool, error) {
	return p.grants.BeginRefresh(ctx, pair, by, life)
}

// RotateGrant implements bitrix24.Grants. A pair that the database does not take is kept.
func (p *pairs) RotateGrant(ctx context.Context, old leads.Secret, next leads.Grant) (bool, error) {
	p.keep(rotation{old, next})
	return p.store(ctx, next.MemberID)
}

func (p *pairs) keep(r rotation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept[r.next.MemberID] != r { // else the database did not take it the last time
		p.kept[r.next.MemberID], p.unwritten[r.next.MemberID] = r, true
	}
}

// look returns what is kept of a portal, and writes it where its file could not be written before.
func (p *pairs) look(ctx context.Context, memberID string) (r rotation, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, ok = p.kept[memberID]; !p.unwritten[memberID] {
		return r, ok
	}
	err := p.files.write(r)
	if p.unwritten[memberID] = err != nil; err != nil {
		p.log.ErrorContext(ctx, "refreshed tokens cannot be kept in the data directory: if the process ends before the database has them, somebody has to authorize the portal again",
			"member_id", memberID, "error", err)
	}
	return r, ok
}

// store has the database take what is kept of a portal; false where there is nothing, or the database has another pair:
// somebody authorized the portal meanwhile, or an attempt that seemed to fail did not. The pair is kept until the portal is
// served again, too.
func (p *pairs) store(ctx context.Context, memberID string) (bool, error) {
	r, ok := p.look(ctx, memberID)
	if !ok {
		return false, nil
	}
	current, err := p.grants.RotateGrant(ctx, r.old, r.next)
	if err == nil {
		err = p.resume(ctx, r.next)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.late[memberID] = true
		return false, err
	}
	if p.kept[memberID] == r {
		delete(p.kept, memberID)
		delete(p.unwritten, memberID)
		delete(p.late, memberID)
		err = p.files.empty(memberID)
	}
	if err != nil { // the next start offers it to the database again, which changes nothing
		p.log.WarnContext(ctx, "refreshed tokens that the database has cannot be removed from the data directory", "member_id", memberID, "error", err)
	}
	return current, nil
}

// run has the database take what is kept of portals that another process serves now, or nobody.
func (p *pairs) run(ctx context.Context) error {
	loop := retry.Loop{Policy: retry.Near, Interval: storeEvery}
	return unlessStopped(ctx, loop.Run(ctx, p.storeAll))
}

func (p *pairs) storeAll(ctx context.Context) error {
	p.mu.Lock()
	members := slices.Sorted(maps.Keys(p.kept))
	p.mu.Unlock()
	var errs []error
	for _, memberID := range members {
		current, err := p.store(ctx, memberID)
		if err == nil && current {
			p.log.InfoContext(ctx, "refreshed tokens that were kept in the data directory are in the database now", "member_id", memberID)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// resume lets a portal be served again that another process has given up because its pair was here. An attempt to store it
// that seemed to fail counts, too. One that is served gets a new record where the pair comes late: so another process, which
// has found the old pair used up a moment ago, sees that it knows less, and does not give the portal up.
func (p *pairs) resume(ctx context.Context, pair leads.Grant) error {
	portal, ok, err := p.portals.Portal(ctx, pair.MemberID)
	if err != nil || !ok || !p.renews(portal) {
		return err
	}
	grants, err := p.grants.Grants(ctx, pair.MemberID)
	if err != nil || !slices.ContainsFunc(grants, func(g leads.Grant) bool { return g.RefreshToken == pair.RefreshToken }) {
		return err
	}
	_, err = p.portals.SetPortalStateFrom(ctx, portal, leads.PortalActive)
	return err
}

// renews tells whether the portal's record is written when its pair is stored.
func (p *pairs) renews(portal leads.Portal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return portal.State == leads.PortalNeedsAuthorization || portal.State == leads.PortalActive && p.late[portal.MemberID]
}
