package main

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
)

// The service is killed when the authorization server has spent its refresh token: before
// the answer is sent, or after, while the database takes no write. A lenient server lets
// the next process refresh with the old token; of a strict one the chain is lost, and
// that has to be said everywhere, for a person to mend it.
func TestKillBetweenTokenAnswerAndWrite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ lenient, answered bool }{
		"strict, no answer": {false, false},
		"strict, answered":  {false, true},
		"lenient, answered": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newRefreshDrill(t, test.lenient)
			d.killInRefresh(test.answered)
			d.serve.start()
			if test.lenient {
				eventually(t, "the edit arrives", func() bool { return equalMirror(t, d.portal, d.db) })
				if p := d.record(); p.State != leads.PortalActive || strings.Contains(d.logged(), "needs authorization") {
					t.Errorf("the portal is %s", p.State)
				}
				return
			}
			d.wantSaid()
			d.portal.Install(d.url+"/bitrix24/events", "")
			eventually(t, "a new authorization heals it", func() bool {
				return d.record().State == leads.PortalActive && equalMirror(t, d.portal, d.db)
			})
		})
	}
}

type refreshDrill struct {
	t      *testing.T
	portal *emulator.Portal
	url    string
	path   string
	db     *repo.DB
	serve  *child

	spent  chan struct{} // the server has spent a refresh token
	answer chan struct{} // it may answer
}

func newRefreshDrill(t *testing.T, lenient bool) *refreshDrill {
	t.Helper()
	d := &refreshDrill{t: t, spent: make(chan struct{}, 1), answer: make(chan struct{})}
	d.portal = startEmulator(t, emulator.Config{Leads: 20, Seed: 8, Switches: emulator.Switches{LenientRotation: lenient}, OnToken: func() {
		select {
		case d.spent <- struct{}{}:
			<-d.answer
		default: // only the first is held
		}
	}})
	info, dir, address := d.portal.Info(), t.TempDir(), freeAddress(t)
	d.url, d.path = "http://"+address, filepath.Join(dir, "mirror.db")
	d.serve = newChild(t, "serve",
		"LEADSYNC_DATA_DIR="+dir, "LEADSYNC_HTTP_ADDR="+address, "LEADSYNC_PUBLIC_URL="+d.url, "LEADSYNC_NATS_LISTEN="+freeAddress(t),
		"LEADSYNC_DATABASE_URL=sqlite:"+d.path, "LEADSYNC_B24_INSECURE_HOSTS="+host(info.Portal)+","+host(info.OAuth),
		"LEADSYNC_B24_CLIENT_ID="+info.ClientID, "LEADSYNC_B24_CLIENT_SECRET="+info.ClientSecret, "LEADSYNC_RECONCILE_AT=off")
	d.serve.start()
	eventually(t, "the service is ready", func() bool { return (&front{targets: []string{d.url}}).ready() == 1 })
	var err error
	if d.db, err = repo.Open(t.Context(), repo.Config{URL: "sqlite:" + d.path}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.db.Close() })
	d.portal.Install(d.url+"/bitrix24/events", "")
	eventually(t, "the leads are imported", func() bool { return equalMirror(t, d.portal, d.db) })
	return d
}

// killInRefresh makes the service refresh, and kills it before it can store what came.
func (d *refreshDrill) killInRefresh(answered bool) {
	d.t.Helper()
	d.portal.ExpireTokens()
	id, _ := d.portal.RandomID()
	if err := d.portal.Edit(id, map[string]any{"TITLE": "after the tokens have expired"}); err != nil {
		d.t.Fatal(err)
	}
	<-d.spent
	if !answered {
		d.serve.kill()
		close(d.answer)
		return
	}
	raw, err := sql.Open("sqlite", d.path+"?_txlock=immediate&_pragma=busy_timeout(60000)")
	if err != nil {
		d.t.Fatal(err)
	}
	defer raw.Close()
	tx, err := raw.BeginTx(context.Background(), nil) // the service has noted that it refreshes; it writes no more
	if err != nil {
		d.t.Fatal(err)
	}
	close(d.answer)
	time.Sleep(time.Second) // the answer is on its way; that it has arrived changes nothing
	d.serve.kill()
	if err := tx.Rollback(); err != nil {
		d.t.Fatal(err)
	}
}

// wantSaid wants a lost chain in the portal's state, in readiness, metrics and the log.
func (d *refreshDrill) wantSaid() {
	t := d.t
	t.Helper()
	eventually(t, "the portal needs authorization", func() bool { return d.record().State == leads.PortalNeedsAuthorization })
	domain := d.record().Domain
	for path, want := range map[string]string{
		"/readyz":  "needs authorization: open /bitrix24/oauth/start?domain=" + domain,
		"/metrics": `leadsync_portals{state="needs_authorization"} 1`,
	} {
		var text string
		eventually(t, path+" says so", func() bool { text = d.get(path); return strings.Contains(text, want) })
	}
	log := d.logged()
	for _, want := range []string{"portal needs authorization: open /bitrix24/oauth/start", "a refresh that began at", "was never stored"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	grant, _, err := d.db.Grant(t.Context(), d.record().MemberID)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{grant.AccessToken.Reveal(), grant.RefreshToken.Reveal(), d.portal.Info().ClientSecret} {
		if strings.Contains(log, secret) {
			t.Error("the log shows a secret")
		}
	}
}

func (d *refreshDrill) record() leads.Portal {
	d.t.Helper()
	p, _, err := d.db.Portal(d.t.Context(), d.portal.Info().MemberID)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

func (d *refreshDrill) logged() string {
	d.t.Helper()
	data, err := os.ReadFile(d.serve.log)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(data)
}

func (d *refreshDrill) get(path string) string {
	resp, err := http.Get(d.url + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}
