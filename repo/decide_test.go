package repo // tests decide, which is not exported

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	const grace = time.Minute
	a, b := testCard(t, "a"), testCard(t, "b")
	row := func(change func(*storedRow)) *storedRow {
		r := &storedRow{ticket: 5, revision: 3, hash: a.Hash(), raw: a.Raw}
		if change != nil {
			change(r)
		}
		return r
	}
	present := func(ticket leads.Ticket, lead leads.Lead) leads.Snapshot {
		return leads.Snapshot{Ref: leads.Ref{MemberID: "m", LeadID: 1}, Ticket: ticket, Lead: lead}
	}
	absent := leads.Snapshot{Ticket: 6, Sight: leads.Absent}
	tombstone := row(func(r *storedRow) { r.deleted = now.Add(-time.Hour) })
	missing := func(since time.Duration) *storedRow {
		return row(func(r *storedRow) { r.absentSince = now.Add(-since) })
	}
	proven := absent
	proven.Proven = true
	forced := present(6, a)
	forced.Force = true
	edited := row(func(r *storedRow) {
		r.full = &leads.Row{Columns: make([]string, len(leads.Fields)), Raw: a.Raw}
	})

	type want struct {
		Verdict         leads.Verdict
		Action          action
		Revision        int64
		Changed         string
		Kind            leads.ChangeKind
		Ticket          leads.Ticket
		Absent, Deleted bool
	}
	for _, c := range []struct {
		name     string
		snapshot leads.Snapshot
		row      *storedRow
		want     want
	}{
		{"no row", present(1, a), nil, want{leads.Inserted, writeRow, 1, "[TITLE]", leads.Added, 1, false, false}},
		{"the same", present(6, a), row(nil), want{leads.Unchanged, writeMarks, 3, "[]", "", 6, false, false}},
		{"different", present(6, b), row(nil), want{leads.Updated, writeRow, 4, "[TITLE]", leads.Changed, 6, false, false}},
		{"equal ticket", present(5, b), row(nil), want{leads.Older, writeNothing, 3, "[]", "", 5, false, false}},
		{"lower ticket", present(4, b), row(nil), want{leads.Older, writeNothing, 3, "[]", "", 4, false, false}},
		{"lower ticket, deletion", leads.Snapshot{Ticket: 4, Sight: leads.Absent, Proven: true}, row(nil), want{leads.Older, writeNothing, 3, "[]", "", 4, false, false}},
		{"seen again", present(6, a), missing(time.Second), want{leads.Unchanged, writeMarks, 3, "[]", "", 6, false, false}},
		{"seen again, different", present(6, b), missing(time.Second), want{leads.Updated, writeRow, 4, "[TITLE]", leads.Changed, 6, false, false}},
		{"tombstone seen again", present(6, a), tombstone, want{leads.Inserted, writeRow, 4, "[TITLE]", leads.Added, 6, false, false}},
		{
			"hash of another version, same card", present(6, a),
			row(func(r *storedRow) { r.hash = "v0:x" }),
			want{leads.Unchanged, writeRow, 3, "[]", "", 6, false, false},
		},
		{
			"hash of another version, other card", present(6, b),
			row(func(r *storedRow) { r.hash = "v0:x" }),
			want{leads.Updated, writeRow, 4, "[TITLE]", leads.Changed, 6, false, false},
		},
		{
			"adopted row", present(6, b),
			row(func(r *storedRow) { r.hash, r.raw = "", nil }),
			want{leads.Updated, writeRow, 4, "[TITLE]", leads.Changed, 6, false, false},
		},
		{"forced, edited by hand", forced, edited, want{leads.Updated, writeRow, 4, "[TITLE]", leads.Changed, 6, false, false}},
		{"forced, nothing wrong", forced, row(nil), want{leads.Unchanged, writeMarks, 3, "[]", "", 6, false, false}},
		{"absent, no row", absent, nil, want{leads.Unchanged, writeNothing, 0, "[]", "", 6, false, false}},
		{"absent", absent, row(nil), want{leads.Missing, writeMarks, 3, "[]", "", 6, true, false}},
		{"absent within grace", absent, missing(grace - 1), want{leads.Missing, writeMarks, 3, "[]", "", 6, true, false}},
		{"absent for the grace", absent, missing(grace), want{leads.Deleted, writeMarks, 4, "[]", leads.RemovedKind, 6, false, true}},
		{"absent, proven", proven, row(nil), want{leads.Deleted, writeMarks, 4, "[]", leads.RemovedKind, 6, false, true}},
		{"absent, tombstone", proven, tombstone, want{leads.Unchanged, writeMarks, 3, "[]", "", 6, false, true}},
		{"denied, no row", leads.Snapshot{Ticket: 6, Sight: leads.Denied}, nil, want{leads.Unchanged, writeNothing, 0, "[]", "", 6, false, false}},
		{"denied", leads.Snapshot{Ticket: 6, Sight: leads.Denied}, row(nil), want{leads.Unchanged, writeNothing, 3, "[]", "", 5, false, false}},
		{"denied, was absent", leads.Snapshot{Ticket: 6, Sight: leads.Denied}, missing(2 * grace), want{leads.Unchanged, writeMarks, 3, "[]", "", 5, false, false}},
		{"denied, tombstone", leads.Snapshot{Ticket: 6, Sight: leads.Denied}, tombstone, want{leads.Unchanged, writeNothing, 3, "[]", "", 5, false, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := decide(&c.snapshot, c.row, now, grace)
			got := want{
				d.outcome.Verdict, d.action, d.outcome.Revision, fmt.Sprint(d.outcome.Changed), d.kind, d.ticket,
				!d.absent.IsZero(), !d.deleted.IsZero(),
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if change := d.announcement(&c.snapshot); (change != nil) != d.outcome.Wrote() {
				t.Errorf("verdict %s, announced %+v", d.outcome.Verdict, change)
			}
		})
	}
	if d := decide(&absent, missing(time.Second), now, grace); !d.absent.Equal(now.Add(-time.Second)) {
		t.Errorf("absent since %s: the first absence counts", d.absent)
	}
}

func testCard(t *testing.T, title string) leads.Lead {
	t.Helper()
	lead, err := leads.Parse(fmt.Appendf(nil, `{"ID":"1","TITLE":%q}`, title))
	if err != nil {
		t.Fatal(err)
	}
	return lead
}

func TestSealer(t *testing.T) {
	key := make([]byte, 32)
	sealer, err := newSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	first, second := sealer.seal("secret"), sealer.seal("secret")
	if first == second {
		t.Error("the same secret is encrypted to the same text twice")
	}
	if got := first[:len("enc:v1:66687aad:")]; got != "enc:v1:66687aad:" { // sha256 of 32 zero bytes
		t.Errorf("sealed form begins %q", got)
	}
	for stored, want := range map[string]leads.Secret{first: "secret", second: "secret", "plain": "plain", "": ""} {
		if got, err := sealer.unseal(stored); err != nil || got != want {
			t.Errorf("open(%q) = %q, %v", stored, got.Reveal(), err)
		}
	}
	tampered := []byte(first)
	tampered[len(tampered)-6] ^= 1
	for _, stored := range []string{"enc:v2:66687aad:AA==", "enc:v1:66687aad:AA==", "enc:v1:66687aad:!", "enc:v1:00000000:AA==", "enc:", string(tampered)} {
		if got, err := sealer.unseal(stored); err == nil {
			t.Errorf("open(%q) = %q", stored, got.Reveal())
		}
	}
	if sealer.seal("") != "" {
		t.Error("an empty secret was encrypted")
	}
	if _, err := newSealer(key[:31]); err == nil {
		t.Error("a short key was accepted")
	}
}
