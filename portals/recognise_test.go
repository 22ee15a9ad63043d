package portals_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/bitrix24"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/portals"
)

func TestSendersAreRecognisedByTheirToken(t *testing.T) {
	f := open(t, nil)
	f.installed()
	f.save(leads.Portal{MemberID: "tokenless", Domain: "b.example.com", State: leads.PortalActive})
	for _, test := range []struct {
		name, member, token string
		want                portals.Reason
	}{
		{"genuine", f.info.MemberID, f.info.ApplicationToken, portals.Accepted},
		{"an unknown portal", "unknown", f.info.ApplicationToken, portals.UnknownPortal},
		{"a wrong token", f.info.MemberID, "wrong", portals.WrongToken},
		{"no token", f.info.MemberID, "", portals.WrongToken},
		{"a portal without a token", "tokenless", "", portals.WrongToken},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := f.recognise(test.member, test.token)
			if got.Reason != test.want || got.Verified != (test.want == portals.Accepted) || got.Err != nil {
				t.Errorf("%+v, want %s", got, test.want)
			}
			if got.Verified && got.Domain != hostOf(t, f.info.Portal) {
				t.Errorf("domain %q", got.Domain)
			}
			if genuine := f.verify(test.member, test.token); genuine != (test.want == portals.Accepted) {
				t.Errorf("Verify says %v", genuine)
			}
		})
	}
	if n := f.registry.Stats.Refused()["forged"]; n != 4 {
		t.Errorf("%d counted as forged", n)
	}
}

func TestRecognitionCostsFewQueries(t *testing.T) {
	f := open(t, nil)
	f.installed()
	for _, test := range []struct {
		name, member, token string
		lived               time.Duration
	}{
		{"a known portal", f.info.MemberID, f.info.ApplicationToken, 5 * time.Second},
		{"an unknown portal", "unknown", "token", time.Second},
	} {
		f.recognise(test.member, test.token)
		before := f.store.queries.Load()
		f.clock.Advance(test.lived - time.Nanosecond)
		f.recognise(test.member, test.token)
		if n := f.store.queries.Load() - before; n != 0 {
			t.Errorf("%s costs %d queries while it is cached", test.name, n)
		}
		f.clock.Advance(time.Nanosecond)
		f.recognise(test.member, test.token)
		if n := f.store.queries.Load() - before; n != 1 {
			t.Errorf("%s costs %d queries after that", test.name, n)
		}
	}
}

func TestWrongTokensReadThePortalSeldom(t *testing.T) {
	f := open(t, nil)
	f.installed()
	f.recognise(f.info.MemberID, f.info.ApplicationToken)
	before := f.store.queries.Load()
	forge := func(times int) int64 {
		for range times {
			if got := f.recognise(f.info.MemberID, "wrong"); got.Reason != portals.WrongToken {
				t.Fatalf("%+v", got)
			}
		}
		return f.store.queries.Load() - before
	}
	if n := forge(10); n != 3 {
		t.Errorf("ten wrong tokens cost %d queries", n)
	}
	f.clock.Advance(time.Second)
	if n := forge(10); n != 4 {
		t.Errorf("%d queries a second later", n)
	}
}

func TestCacheOfInventedPortalsIsBounded(t *testing.T) {
	const most = 10_000
	f := open(t, func(f *fixture) {
		f.cfg.Store = empty{f.store}
	})
	for i := range most {
		f.recognise(strconv.Itoa(i), "t")
	}
	f.recognise("0", "t")
	if n := f.store.queries.Load(); n != most {
		t.Errorf("%d queries for %d portals, the first of which is asked for twice", n, most)
	}
	f.recognise("one too many", "t") // empties the cache
	f.recognise("0", "t")
	if n := f.store.queries.Load(); n != most+2 {
		t.Errorf("%d queries: the cache holds more than %d portals", n, most)
	}
}

// empty knows no portal.
type empty struct{ *database }

func (e empty) Portal(context.Context, string) (leads.Portal, bool, error) {
	e.queries.Add(1)
	return leads.Portal{}, false, nil
}

func TestTokenChangedByAnotherReplicaIsReadAtOnce(t *testing.T) {
	f := open(t, nil)
	f.installed()
	if got := f.recognise(f.info.MemberID, "renewed"); got.Reason != portals.WrongToken {
		t.Fatalf("%+v", got)
	}
	p := f.stored(f.info.MemberID)
	p.TokenHash = leads.HashToken("renewed")
	f.save(p)
	if got := f.recognise(f.info.MemberID, "renewed"); got.Reason != portals.Accepted {
		t.Errorf("%+v", got)
	}
}

func TestOneCallbackWaitsForASlowDatabase(t *testing.T) {
	f := open(t, nil)
	f.installed()
	f.recognise(f.info.MemberID, f.info.ApplicationToken)
	f.clock.Advance(time.Minute)
	asked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.store.before = func(context.Context) error {
		once.Do(func() { close(asked) })
		<-release
		return errDown
	}
	before := f.store.queries.Load()
	first := make(chan portals.Decision, 1)
	go func() { first <- f.recognise(f.info.MemberID, f.info.ApplicationToken) }()
	<-asked
	for range 5 { // they do not wait, or the test would hang
		if got := f.recognise(f.info.MemberID, f.info.ApplicationToken); !got.Verified {
			t.Errorf("%+v", got)
		}
	}
	close(release)
	if got := <-first; !got.Verified {
		t.Errorf("%+v", got)
	}
	if n := f.store.queries.Load() - before; n != 1 {
		t.Errorf("%d queries", n)
	}
	f.clock.Advance(time.Second)
	f.recognise(f.info.MemberID, f.info.ApplicationToken)
	if n := f.store.queries.Load() - before; n != 2 {
		t.Errorf("%d queries a second later", n)
	}
}

func TestDatabaseThatHangsDoesNotHoldCallbacks(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	f.store.before = func(ctx context.Context) error {
		if _, limited := ctx.Deadline(); !limited {
			return errors.New("no deadline")
		}
		<-ctx.Done()
		return ctx.Err()
	}
	if got := f.recognise(f.info.MemberID, f.info.ApplicationToken); !errors.Is(got.Err, context.DeadlineExceeded) || got.Reason != portals.Accepted || got.Verified {
		t.Errorf("%+v", got)
	}
}

func TestWithoutDatabaseCallbacksAreVerifiedLater(t *testing.T) {
	f := open(t, nil)
	f.installed()
	for _, test := range []struct {
		name, member, token string
		genuine             bool
	}{
		{"genuine", f.info.MemberID, f.info.ApplicationToken, true},
		{"a wrong token", f.info.MemberID, "wrong", false},
		{"an invented portal", "bbbb", f.info.ApplicationToken, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f.store.down.Store(true)
			if got := f.recognise(test.member, test.token); got.Reason != portals.Accepted || got.Verified || !errors.Is(got.Err, errDown) {
				t.Fatalf("%+v", got)
			}
			if _, err := f.registry.Verify(t.Context(), unverified(test.member, test.token)); !errors.Is(err, errDown) {
				t.Errorf("verified without a database: %v", err)
			}
			f.store.down.Store(false)
			if genuine := f.verify(test.member, test.token); genuine != test.genuine {
				t.Errorf("genuine %v", genuine)
			}
		})
	}
	if refused, blind := f.registry.Stats.Refused()["forged"], f.registry.Stats.Blind.Load(); refused != 2 || blind != 3 {
		t.Errorf("%d counted as forged, %d as blind", refused, blind)
	}
}

func TestKnownPortalsStayKnownWithoutADatabase(t *testing.T) {
	f := open(t, nil)
	f.installed()
	f.recognise(f.info.MemberID, f.info.ApplicationToken)
	f.store.down.Store(true)
	f.clock.Advance(time.Hour)
	for range 3 {
		if got := f.recognise(f.info.MemberID, f.info.ApplicationToken); !got.Verified || got.Err != nil {
			t.Fatalf("%+v", got)
		}
		f.clock.Advance(2 * time.Second)
	}
}

// No clock can show it reliably, so the source has to: tokens are compared in one
// function, and there in constant time.
func TestTokensAreComparedInConstantTime(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../leads/portal.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constant := false
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != "RecognisesHash" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && call.Sel.Name == "ConstantTimeCompare" {
				constant = true
			}
			return true
		})
	}
	if !constant {
		t.Error("Portal.RecognisesHash does not use subtle.ConstantTimeCompare")
	}
}

// Refused callbacks of a known portal are in the journal: one entry a minute for each reason, which
// says how many there were, however many strangers send.
func TestRefusalsAreInTheJournal(t *testing.T) {
	dir := t.TempDir()
	f := open(t, func(f *fixture) {
		j, err := journal.Open(journal.Config{Dir: dir, Owner: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = j.Close() })
		f.cfg.Journal = j
	})
	f.installed()
	refuse := func(lead int64) {
		d := f.registry.Recognise(t.Context(), bitrix24.Callback{Event: bitrix24.LeadUpdate, MemberID: f.info.MemberID, ApplicationToken: "wrong", LeadID: lead})
		f.registry.Count(t.Context(), d)
		f.registry.Count(t.Context(), portals.Decision{Reason: portals.UnknownPortal, MemberID: f.info.MemberID})
	}
	began := f.clock.Now().UTC().Truncate(time.Millisecond)
	for n := range 120 { // within two minutes, the lead's own and those of others
		refuse(17 + int64(n%2))
		f.clock.Advance(time.Second)
	}
	f.clock.Advance(time.Minute)
	f.registry.Count(t.Context(), portals.Decision{Reason: portals.Accepted, MemberID: f.info.MemberID, Known: true}) // the rest is not left out
	refuse(17)
	f.clock.Advance(time.Minute)
	refuse(18)
	f.clock.Advance(time.Second)
	refuse(17)
	for range 2 { // a stop does not wait for the minute's end
		f.registry.Flush()
	}
	f.cfg.Journal.Flush()
	r, err := journal.Look(t.Context(), dir, journal.Query{MemberID: f.info.MemberID, LeadID: 17, To: began.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(lead, count int64, since, until int) journal.Entry {
		return journal.Entry{
			At: began.Add(time.Duration(until) * time.Second), Kind: journal.Refused, MemberID: f.info.MemberID, LeadID: lead, Word: "wrong_token",
			Count: count, Since: began.Add(time.Duration(since) * time.Second),
		}
	}
	want := []journal.Entry{refused(17, 1, 0, 0), refused(0, 60, 1, 60), refused(0, 59, 61, 119), refused(0, 2, 180, 240), refused(17, 1, 241, 241)}
	if diff := cmp.Diff(want, r.Entries); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What people read of a refusal is a sentence, not the name of a reason.
func TestEachRefusalIsToldInWords(t *testing.T) {
	for reason := portals.Unparsable; reason.String() != ""; reason++ {
		told := journal.Assemble(leads.Ref{}, journal.Known{Journal: journal.Record{Entries: []journal.Entry{{Kind: journal.Refused, Word: reason.String()}}}})
		if text := told.Moments[0].Text; strings.HasSuffix(text, ": "+reason.String()) {
			t.Errorf("%s: %s", reason, text)
		}
	}
}
