package repotest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/repo"
)

// Troubled has somebody else do to the database what makes it refuse leads. No lead may be
// marked for that, and the next write after it must succeed.
func Troubled(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	ticket := leads.Ticket(1)
	for _, c := range []struct {
		name, spoil, mend string
		says              []string // what the error says on Microsoft's server
	}{
		{
			"a trigger that rolls back",
			"CREATE TRIGGER dbo.customers ON dbo.bitrix_leads AFTER INSERT, UPDATE AS ROLLBACK TRANSACTION",
			"DROP TRIGGER dbo.customers",
			[]string{"3609", "trigger"},
		},
		{
			"a trigger that throws",
			"CREATE TRIGGER dbo.customers ON dbo.bitrix_leads AFTER INSERT, UPDATE AS BEGIN RAISERROR(N'not on Thursdays', 16, 1); ROLLBACK TRANSACTION; END",
			"DROP TRIGGER dbo.customers",
			[]string{"not on Thursdays"},
		},
		{
			"a constraint that no lead passes",
			"ALTER TABLE dbo.bitrix_leads ADD CONSTRAINT ck_customers CHECK (sql_TITLE = N'Thursday')",
			"ALTER TABLE dbo.bitrix_leads DROP CONSTRAINT ck_customers",
			[]string{"547", "ck_customers"},
		},
		{
			"an identity column at its end",
			"DBCC CHECKIDENT ('dbo.bitrix_lead_contacts', RESEED, 2147483647)",
			"DBCC CHECKIDENT ('dbo.bitrix_lead_contacts', RESEED, 1)",
			[]string{"8115", "identity column has run out"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.exec(c.spoil)
			outcomes, err := m.Apply(m.ctx, m.threeLeads(ticket))
			if err == nil || outcomes != nil {
				t.Fatalf("%+v, %v; want an error and no outcome", outcomes, err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) && !m.babelfish() {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if problem := m.Problem(); !strings.Contains(problem, "leads cannot be written since") {
				t.Errorf("the database's problem is %q", problem)
			}
			m.exec(c.mend)
			m.apply(m.threeLeads(ticket + 1)...)
			m.exec("DELETE FROM dbo.bitrix_leads; DELETE FROM dbo.bitrix_lead_contacts") // the next case inserts
			ticket += 2
			if problem := m.Problem(); problem != "" {
				t.Errorf("afterwards there is a problem still: %s", problem)
			}
		})
	}
	t.Run("a lock held by a stranger", func(t *testing.T) { m.with(t, lockedByStranger) })
}

// threeLeads are three leads with a number each.
func (m *mirror) threeLeads(ticket leads.Ticket) (batch []leads.Snapshot) {
	for id := int64(1); id <= 3; id++ {
		batch = append(batch, seen(ticket, card(m.t, id, map[string]any{"TITLE": "t", "PHONE": []any{phone("1", "+7 900 000-00-01")}})))
	}
	return batch
}

func lockedByStranger(m *mirror) {
	t := m.t
	m.apply(m.threeLeads(101)...)
	impatient := m.again(repo.Config{AnswerLimit: 20 * time.Second})
	tx, err := m.raw.BeginTx(m.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(m.ctx, "UPDATE dbo.bitrix_leads SET sql_COMMENTS = N'left open' WHERE sql_ID = 2"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	outcomes, err := impatient.Apply(m.ctx, m.threeLeads(102))
	if err == nil || outcomes != nil {
		t.Fatalf("%+v, %v; want an error and no outcome", outcomes, err)
	}
	t.Logf("given up after %s: %v", time.Since(began).Round(time.Second/10), err)
	if !errors.Is(err, repo.ErrUnavailable) || strings.Contains(err.Error(), "no answer") {
		t.Errorf("a wait for a lock counts as silence: %v", err)
	}
	if !m.babelfish() && !strings.Contains(err.Error(), "holds the lock") {
		t.Errorf("the error does not say who holds the lock: %v", err)
	}
	if problem := impatient.Problem(); !strings.Contains(problem, "leads cannot be written since") {
		t.Errorf("the database's problem is %q", problem)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := impatient.Apply(m.ctx, m.threeLeads(103)); err != nil {
		t.Errorf("after the stranger: %v", err)
	}
}
