package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

const pairMember = "a223c6b3710f85df22e9377d6c4f7553"

// pairHarness is a database that a process stores pairs in, and the process's data directory.
type pairHarness struct {
	t   *testing.T
	db  *repo.DB
	dir string
	log leadstest.Log
}

func newPairHarness(t *testing.T) *pairHarness {
	t.Helper()
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "leadsync.db"), SecretKey: make([]byte, 32)})
	if err == nil {
		_, err = db.Migrate(t.Context())
	}
	if err == nil {
		err = db.SavePortal(t.Context(), leads.Portal{MemberID: pairMember, State: leads.PortalActive})
	}
	if err == nil {
		err = db.SaveGrant(t.Context(), pair(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &pairHarness{t: t, db: db, dir: t.TempDir()}
}

// start is a process: what an earlier one kept is there.
func (h *pairHarness) start(grants bitrix24.Grants) *pairs {
	h.t.Helper()
	return openPairs(grants, h.db, pairFiles{dir: h.dir, seal: h.db}, h.log.Logger())
}

// down is the database while it takes no pair.
type down struct{ *repo.DB }

func (down) RotateGrant(context.Context, leads.Secret, leads.Grant) (bool, error) {
	return false, errors.New("database is full")
}

// killedWithAPair is a process that has refreshed the first pair and is killed before the database takes the second.
func (h *pairHarness) killedWithAPair() {
	h.t.Helper()
	p := h.start(down{h.db})
	if grants, err := p.Grants(h.t.Context(), pairMember); err != nil || len(grants) != 1 {
		h.t.Fatalf("%d pairs, %v", len(grants), err)
	}
	if _, err := p.RotateGrant(h.t.Context(), pair(1).RefreshToken, pair(2)); err == nil {
		h.t.Fatal("the database took it")
	}
	if _, err := p.Grants(h.t.Context(), pairMember); err == nil {
		h.t.Error("the pair that is used up is offered still")
	}
}

func pair(n int) leads.Grant {
	s := string(rune('0' + n))
	return leads.Grant{
		MemberID: pairMember, AccessToken: leads.Secret("access-" + s), RefreshToken: leads.Secret("refresh-" + s), Scope: "crm,user", UserID: 7,
		ClientID: "app", ExpiresAt: time.Date(2026, 11, 27, 12, n, 0, 0, time.UTC),
	}
}

// wantStored checks which pair the database has, and that the file keeps nothing.
func (h *pairHarness) wantStored(want leads.Grant) {
	h.t.Helper()
	got, _, err := h.db.Grant(h.t.Context(), pairMember)
	got.ExpiresAt = got.ExpiresAt.UTC()
	if err != nil || got != want {
		h.t.Errorf("the database has the pair of %s, want of %s; %v", got.ExpiresAt, want.ExpiresAt, err)
	}
	if kept := strings.TrimSpace(h.file()); kept != "" {
		h.t.Errorf("still kept: %s", kept)
	}
}

// file is the content of the portal's file.
func (h *pairHarness) file() string {
	h.t.Helper()
	data, err := os.ReadFile(pairFiles{dir: h.dir}.path(pairMember))
	if err != nil {
		h.t.Fatal(err)
	}
	if len(data) != pairRoom {
		h.t.Errorf("the file has %d bytes, on a full disk that may be too many", len(data))
	}
	return string(data)
}

func TestAPairIsStoredByTheNextProcess(t *testing.T) {
	h := newPairHarness(t)
	h.killedWithAPair()
	if kept := h.file(); !strings.Contains(kept, pairMember) || strings.Contains(kept, "refresh-") || strings.Contains(kept, "access-") {
		t.Errorf("not kept, or not encrypted: %s", kept)
	}
	grants, err := h.start(h.db).Grants(t.Context(), pairMember)
	if err != nil || len(grants) != 1 || grants[0].RefreshToken != pair(2).RefreshToken {
		t.Errorf("the next process does not get the new pair: %d, %v", len(grants), err)
	}
	h.wantStored(pair(2))
}

// A new authorization counts more than a pair that was kept.
func TestAPairOfBeforeAnAuthorizationIsDropped(t *testing.T) {
	h := newPairHarness(t)
	h.killedWithAPair()
	if err := h.db.SaveGrant(t.Context(), pair(3)); err != nil {
		t.Fatal(err)
	}
	if err := h.db.SetPortalState(t.Context(), pairMember, leads.PortalNeedsAuthorization); err != nil { // that pair is used up, too
		t.Fatal(err)
	}
	if err := h.start(h.db).storeAll(t.Context()); err != nil {
		t.Error(err)
	}
	h.wantStored(pair(3))
	if portal, _, err := h.db.Portal(t.Context(), pairMember); err != nil || portal.State != leads.PortalNeedsAuthorization {
		t.Errorf("without a new pair the portal is %s, %v", portal.State, err)
	}
}

// Another process has taken over meanwhile and found the old pair used up: the portal is served again when the pair is found.
func TestAPortalIsServedAgainWhenItsPairIsFound(t *testing.T) {
	for state, want := range map[leads.PortalState]leads.PortalState{
		leads.PortalNeedsAuthorization: leads.PortalActive, leads.PortalUninstalled: leads.PortalUninstalled,
	} {
		h := newPairHarness(t)
		h.killedWithAPair()
		if err := h.db.SetPortalState(t.Context(), pairMember, state); err != nil {
			t.Fatal(err)
		}
		p := h.start(h.db)
		for range 2 { // the second time there is nothing to do
			if err := p.storeAll(t.Context()); err != nil {
				t.Error(err)
			}
		}
		h.wantStored(pair(2))
		if portal, _, err := h.db.Portal(t.Context(), pairMember); err != nil || portal.State != want {
			t.Errorf("%s became %s, want %s: %v", state, portal.State, want, err)
		}
	}
}

// Another process has read the portal's record, and found the old pair used up, before the pair is found: it does not give up
// the portal afterwards. A pair that the database takes at once changes no record.
func TestAPortalIsNotGivenUpByWhoKnowsLess(t *testing.T) {
	for late, want := range map[bool]bool{true: false, false: true} {
		h := newPairHarness(t)
		if late {
			h.killedWithAPair()
		}
		if err := h.db.SetPortalState(t.Context(), pairMember, leads.PortalActive); err != nil {
			t.Fatal(err)
		}
		seen, _, err := h.db.Portal(t.Context(), pairMember)
		if err != nil {
			t.Fatal(err)
		}
		p := h.start(h.db)
		if late {
			err = p.storeAll(t.Context())
		} else {
			_, err = p.RotateGrant(t.Context(), pair(1).RefreshToken, pair(2))
		}
		if err != nil {
			t.Fatal(err)
		}
		h.wantStored(pair(2))
		if written, err := h.db.SetPortalStateFrom(t.Context(), seen, leads.PortalNeedsAuthorization); err != nil || written != want {
			t.Errorf("late: %v; the portal is given up: %v (%v), want %v", late, written, err, want)
		}
	}
}

func TestTheStartDoesNotDependOnKeptPairs(t *testing.T) {
	for name, content := range map[string]string{
		"torn": `{"member_id":"` + pairMember + `","old":"enc`, "of another key": `{"member_id":"` + pairMember + `","old":"enc:v1:00000000:AAAA","refresh":"r","access":"a"}`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newPairHarness(t)
			if err := os.WriteFile(pairFiles{dir: h.dir}.path(pairMember), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := h.start(h.db).Grants(t.Context(), pairMember); err != nil {
				t.Error(err)
			}
			if said := h.log.String(); !strings.Contains(said, "cannot be read") {
				t.Errorf("said: %s", said)
			}
		})
	}
}

// stumbling is a database that a process loses once, at one of its statements.
type stumbling struct {
	*repo.DB

	at   string // where
	lost bool   // it was lost
}

func (s *stumbling) lose(at string) error {
	if s.lost || s.at != at {
		return nil
	}
	s.lost = true
	return errors.New("connection reset")
}

func (s *stumbling) RotateGrant(ctx context.Context, old leads.Secret, next leads.Grant) (bool, error) {
	current, err := s.DB.RotateGrant(ctx, old, next)
	if lost := s.lose("commit"); lost != nil {
		return false, lost // it has the pair
	}
	return current, err
}

func (s *stumbling) Portal(ctx context.Context, memberID string) (leads.Portal, bool, error) {
	if err := s.lose("state"); err != nil {
		return leads.Portal{}, false, err
	}
	return s.DB.Portal(ctx, memberID)
}

// The same, whoever stores the pair, and although the database is lost between the pair and the state.
func TestAPortalIsServedAgainWhoeverStoresItsPair(t *testing.T) {
	for at, store := range map[string]func(*pairs) error{
		"":       func(p *pairs) error { _, err := p.RotateGrant(t.Context(), pair(1).RefreshToken, pair(2)); return err },
		"commit": func(p *pairs) error { return errors.Join(p.storeAll(t.Context()), p.storeAll(t.Context())) },
		"state": func(p *pairs) error {
			_, err := p.Grants(t.Context(), pairMember)
			return errors.Join(err, p.storeAll(t.Context()))
		},
	} {
		h := newPairHarness(t)
		h.killedWithAPair()
		if err := h.db.SetPortalState(t.Context(), pairMember, leads.PortalNeedsAuthorization); err != nil {
			t.Fatal(err)
		}
		db := &stumbling{DB: h.db, at: at}
		p := h.start(db)
		p.portals = db
		if err := store(p); (err != nil) != db.lost || db.lost != (at != "") {
			t.Errorf("lost at %q: %v", at, err)
		}
		h.wantStored(pair(2))
		if portal, _, err := h.db.Portal(t.Context(), pairMember); err != nil || portal.State != leads.PortalActive {
			t.Errorf("lost at %q: the portal is %s, %v", at, portal.State, err)
		}
	}
}

// The disk is full at first, and has room before the process is killed.
func TestAPairIsKeptAsSoonAsTheDiskTakesIt(t *testing.T) {
	h := newPairHarness(t)
	p := h.start(down{h.db})
	h.blockDir()
	if _, err := p.RotateGrant(t.Context(), pair(1).RefreshToken, pair(2)); err == nil || !strings.Contains(h.log.String(), "cannot be kept") {
		t.Fatalf("%v: %s", err, h.log.String())
	}
	if err := os.Remove(h.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := p.storeAll(t.Context()); err == nil {
		t.Error("the database took it")
	}
	if err := h.start(h.db).storeAll(t.Context()); err != nil {
		t.Error(err)
	}
	h.wantStored(pair(2))
}

// blockDir lets nothing be kept: there is no room for the directory.
func (h *pairHarness) blockDir() {
	h.t.Helper()
	err := os.RemoveAll(h.dir)
	if err == nil {
		err = os.WriteFile(h.dir, nil, 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// An update may be installed while the disk is full.
func TestTheStartNeedsNoRoomForPairs(t *testing.T) {
	h := newPairHarness(t)
	h.blockDir()
	if _, err := h.start(h.db).Grants(t.Context(), pairMember); err != nil {
		t.Error(err)
	}
	if said := h.log.String(); !strings.Contains(said, "cannot be read") || !strings.Contains(said, "has no room") {
		t.Errorf("said: %s", said)
	}
}

// The data directory is named by people, who may use what patterns of file names use.
func TestAPairIsFoundInADirectoryOfAnyName(t *testing.T) {
	h := newPairHarness(t)
	h.dir = filepath.Join(h.dir, "leads [test]", "refreshed")
	h.killedWithAPair()
	if err := h.start(h.db).storeAll(t.Context()); err != nil {
		t.Error(err)
	}
	h.wantStored(pair(2))
}

func TestNothingStaysOfALongerPair(t *testing.T) {
	h := newPairHarness(t)
	files := pairFiles{dir: h.dir, seal: h.db}
	long := pair(2)
	long.Scope = strings.Repeat("crm,", pairRoom)
	for _, next := range []leads.Grant{long, pair(3)} {
		if err := files.write(rotation{pair(1).RefreshToken, next}); err != nil {
			t.Fatal(err)
		}
		if kept, damaged := files.read(); len(damaged) > 0 || kept[pairMember].next != next {
			t.Errorf("%d bytes of scope: %v", len(next.Scope), damaged)
		}
	}
}
