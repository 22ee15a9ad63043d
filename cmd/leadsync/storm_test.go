package main

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
)

var (
	stormLength = flag.Duration("storm", 12*time.Second, "how long TestFaultsOfAllKindsEndEqual spoils the portal's answers")
	stormSeed   = flag.Uint64("storm-seed", 1, "the same seed spoils them in the same order")
)

// storm is a service beside a portal whose answers are spoilt in every way.
type storm struct {
	*testServer

	t       *testing.T
	db      *repo.DB
	rng     *rand.Rand
	guilty  map[int64]bool    // leads that an answer could not contain
	secrets map[string]string // by what they are
	shown   bytes.Buffer      // answers of the service
}

// Whatever the portal answers, for single leads, commands and whole requests: when it is well
// again, the mirror becomes equal to the portal, no innocent lead was given up, and no token
// was ever kept or shown.
func TestFaultsOfAllKindsEndEqual(t *testing.T) {
	t.Parallel()
	p := startFullEmulator(t, emulator.Config{Leads: 150, Seed: 31, NoLimits: true, Switches: emulator.Switches{NoOffline: true, Files: true}})
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	s := &storm{
		testServer: startAccelerated(t, p, map[string]string{"LEADSYNC_CATCHUP_EVERY": "off", "LEADSYNC_RECONCILE_AT": "off", "LEADSYNC_SECRET_KEY": key}),
		t:          t, rng: rand.New(rand.NewPCG(*stormSeed, 0)), guilty: map[int64]bool{}, secrets: map[string]string{},
	}
	s.db = s.mirror(t)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, s.db)
	s.blow()
	p.SetFaults(emulator.Faults{})
	if _, err := s.db.RequestRun(t.Context(), leads.Run{MemberID: s.member(), Mode: leads.RunFull}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	eventually(t, "the mirror is equal", func() bool { return s.equal(t, s.db) })
	t.Logf("equal %s after the last fault; %d leads were spoilt", time.Since(begun).Round(time.Millisecond), len(s.guilty))
	eventually(t, "readiness says so", func() bool { return s.status(t, "/readyz") == http.StatusOK })
	s.wantInnocentsLeftAlone()
	s.collect()
	s.stop()
	s.wantNoTokens()
}

// blow changes faults and leads until its time is over.
func (s *storm) blow() {
	for begun := time.Now(); time.Since(begun) < *stormLength; {
		s.portal.SetFaults(s.fault())
		for range 1 + s.rng.IntN(4) {
			id, ok := s.portal.RandomID()
			switch s.rng.IntN(8) {
			case 0:
				s.portal.Add(1)
			default:
				if ok {
					_ = s.portal.Edit(id, map[string]any{"TITLE": fmt.Sprintf("storm %d", s.rng.Uint64())}) // it may be gone meanwhile
				}
			}
		}
		if s.rng.IntN(10) == 0 {
			_, _ = s.db.RequestRun(s.t.Context(), leads.Run{MemberID: s.member(), Mode: leads.RunFull}) // another one comes
		}
		s.collect()
		time.Sleep(time.Duration(100+s.rng.IntN(500)) * time.Millisecond)
	}
}

// fault is one way to spoil answers, and at times a second one.
func (s *storm) fault() emulator.Faults {
	f := emulator.Faults{SignedLinks: true}
	for range 1 + s.rng.IntN(2) {
		rate := 0.05 + 0.25*s.rng.Float64()
		set := []func(){
			func() {
				id, _ := s.portal.RandomID()
				s.guilty[id] = true
				f.Unencodable, f.UnencodableAs = strconv.FormatInt(id, 10), []string{"empty", "false", "cut"}[s.rng.IntN(3)]
			},
			func() { f.ContactMaps = rate }, func() { f.CustomMaps = rate }, func() { f.ListMaps = rate }, func() { f.BatchMaps = rate },
			func() { f.ScopeTaken = "crm" }, func() { f.RefuseCommands = "ERROR_METHOD_NOT_FOUND" }, func() { f.Refuse = "ACCESS_DENIED" },
			func() { f.QueryLimitBatches = 2 }, func() { f.CommandError = 0.02 },
			func() { f.ErrorNull = true }, func() { f.Garbage = []string{"warning", "bom", "spaces", "notice_after"}[s.rng.IntN(4)] },
			func() { f.Error500 = rate }, func() { f.Error502 = rate }, func() { f.Error504 = rate }, func() { f.ErrorHTML = rate },
			func() { f.HTML200 = rate }, func() { f.Reset = rate }, func() { f.Truncate = rate }, func() { f.Error503 = rate },
			func() { f.StrayRows = rate }, func() { f.OddIDs = []string{"big", "huge", "zero", "negative", "text", "null"}[s.rng.IntN(6)] },
			func() { s.portal.ExpireTokens() },
		}
		set[s.rng.IntN(len(set))]()
	}
	return f
}

// collect notes the tokens there are, and what the service answers.
func (s *storm) collect() {
	info := s.portal.Info()
	s.secrets["client secret"], s.secrets["application token"], s.secrets["webhook"] = info.ClientSecret, info.ApplicationToken, info.Webhook
	sealed, err := repo.Open(s.t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(s.vars["LEADSYNC_DATA_DIR"], "leadsync.db"), SecretKey: bytes.Repeat([]byte{7}, 32)})
	if err == nil {
		grants, err := sealed.Grants(s.t.Context(), s.member())
		for _, g := range grants {
			s.secrets["access token "+g.AccessToken.Reveal()] = g.AccessToken.Reveal()
			s.secrets["refresh token "+g.RefreshToken.Reveal()] = g.RefreshToken.Reveal()
		}
		if err != nil {
			s.t.Error(err)
		}
		_ = sealed.Close()
	}
	for _, path := range []string{"/metrics", "/readyz"} {
		resp, err := http.Get(s.admin() + path)
		if err != nil {
			continue
		}
		_, _ = io.Copy(&s.shown, resp.Body)
		_ = resp.Body.Close()
	}
}

func (s *storm) wantInnocentsLeftAlone() {
	s.t.Helper()
	failing, err := s.db.Failing(s.t.Context(), s.member())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range failing {
		if !s.guilty[f.LeadID] {
			s.t.Errorf("lead %d counts as failing: %s", f.LeadID, f.Reason)
		}
	}
	rows, err := s.rawDB(s.t).QueryContext(s.t.Context(), `SELECT sql_ID, sql_error FROM bitrix_import_lead_error`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var reason string
		if err := rows.Scan(&id, &reason); err != nil {
			s.t.Fatal(err)
		}
		if !s.guilty[id] {
			s.t.Errorf("lead %d was marked: %s", id, reason)
		}
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
}

// wantNoTokens looks for tokens in everything that was kept, logged and answered.
func (s *storm) wantNoTokens() {
	s.t.Helper()
	places := map[string][]byte{"log": []byte(s.log.String()), "answers": s.shown.Bytes()}
	err := filepath.WalkDir(s.vars["LEADSYNC_DATA_DIR"], func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(entry.Name(), "-token") {
			return err
		}
		places[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	size := 0
	for place, content := range places {
		size += len(content)
		for what, secret := range s.secrets {
			if len(secret) >= 8 && bytes.Contains(content, []byte(secret)) {
				s.t.Errorf("%s stands in %s", what[:min(len(what), 14)], place)
			}
		}
	}
	s.t.Logf("%d secrets looked for in %d KB", len(s.secrets), size>>10)
	if len(s.secrets) < 5 || size < 1<<20 {
		s.t.Error("too little was looked at")
	}
}
