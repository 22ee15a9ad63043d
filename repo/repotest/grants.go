package repotest

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	mssql "github.com/microsoft/go-mssqldb"

	"leadsync/leads"
	"leadsync/repo"
)

// Grants runs the script for database administrators, and then everything that the service
// does as a user who has only the script's role.
func Grants(t *testing.T, server Server, script string) {
	t.Helper()
	m := open(t, server, repo.Config{SolutionField: "UF_CRM_SOLUTION"})
	m.exec("IF OBJECT_ID(N'dbo.somebody_elses', N'U') IS NULL CREATE TABLE dbo.somebody_elses (secret int NULL)")
	t.Cleanup(func() { m.execLate("DROP TABLE dbo.somebody_elses") })
	if m.babelfish() { // which treats it like any other function
		script = strings.ReplaceAll(script, "GRANT SELECT ON dbo.bitrix_lead_by_phone", "GRANT EXECUTE ON dbo.bitrix_lead_by_phone")
	}
	for range 2 { // the script is repeatable
		for batch := range strings.SplitSeq(script, "\nGO\n") {
			if strings.TrimSpace(batch) != "" {
				m.exec(batch)
			}
		}
	}
	m.withoutRole()
	limited := m.as("leadsync_test_service", "leadsync_service")
	limited.DB = limited.again(repo.Config{SolutionField: "UF_CRM_SOLUTION"})
	limited.serve()
	limited.lacks(limited.DB, "")
	limited.refused("CREATE TABLE dbo.leadsync_new (a int)")
	limited.refused("SELECT secret FROM dbo.somebody_elses")
	limited.refused("DROP TABLE dbo.leadsync_outbox")
	limited.refused("ALTER TABLE dbo.bitrix_leads ADD more int")
	limited.loses("INSERT ON dbo.leadsync_outbox", m)
	reader := m.as("leadsync_test_reports", "leadsync_reports")
	readable := forReports.FindAllStringSubmatch(script, -1)
	if len(readable) == 0 {
		t.Error("the script lets reports read nothing")
	}
	for _, object := range readable {
		question := object[1]
		if question == "bitrix_lead_by_phone" {
			if m.babelfish() { // on which a function does not run with the rights of its owner
				continue
			}
			question += "(N'9000000001')"
		}
		reader.text("SELECT COUNT(*) FROM dbo." + question)
	}
	reader.refused("SELECT access_token FROM dbo.bitrix_oauth")
	reader.refused("SELECT webhook_url FROM dbo.leadsync_portals")
	reader.refused("DELETE FROM dbo.bitrix_leads")
}

var forReports = regexp.MustCompile(`(?m)^GRANT (?:SELECT|EXECUTE) ON dbo\.(\w+) TO leadsync_reports;`)

// withoutRole wants a login that has no rights to be told so, and not that tables are missing.
func (m *mirror) withoutRole() {
	m.t.Helper()
	nobody := m.as("leadsync_test_nobody", "")
	db := nobody.again(repo.Config{})
	m.lacks(db, "DELETE on dbo.leadsync_changes")
	outcomes, apply := db.Apply(m.ctx, m.threeLeads(1))
	if outcomes != nil {
		m.t.Errorf("a login without rights marks leads: %+v", outcomes)
	}
	for name, err := range map[string]error{"check": db.CheckMigrated(m.ctx), "write": apply} {
		if !errors.Is(err, repo.ErrRights) || errors.Is(err, repo.ErrNotMigrated) {
			m.t.Errorf("%s without rights: %v", name, err)
		}
	}
}

// loses takes a right from the service's role while it works, and gives it back.
func (m *mirror) loses(right string, owner *mirror) {
	m.t.Helper()
	owner.exec("REVOKE " + right + " FROM leadsync_service")
	m.lacks(m.DB, strings.Replace(right, " ON ", " on ", 1))
	batch := m.threeLeads(leads.NewTickets(1000).Draw())
	outcomes, err := m.Apply(m.ctx, batch)
	if !errors.Is(err, repo.ErrRights) || outcomes != nil {
		m.t.Errorf("without %s: %+v, %v", right, outcomes, err)
	}
	owner.exec("GRANT " + right + " TO leadsync_service")
	m.apply(batch...)
}

// babelfish reports whether the server is Babelfish and not Microsoft's own.
func (m *mirror) babelfish() bool {
	m.t.Helper()
	return m.text("SELECT CONVERT(nvarchar(10), SERVERPROPERTY('Babelfish'))") == "1"
}

// execLate runs a statement by hand after the test. It retries, because the server takes a
// while to notice that a user has disconnected.
func (m *mirror) execLate(statement string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's context has ended
	defer cancel()
	for {
		_, err := m.raw.ExecContext(ctx, statement)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			m.t.Errorf("%s: %v", statement, err)
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// as opens the same database as a new user who has one role.
func (m *mirror) as(name, role string) *mirror {
	m.t.Helper()
	password := "Aa1!" + rand.Text()
	_, _ = m.raw.ExecContext(m.ctx, "DROP USER "+name) // left by an interrupted run
	_, _ = m.raw.ExecContext(m.ctx, "DROP LOGIN "+name)
	_, err := m.raw.ExecContext(m.ctx, "CREATE LOGIN "+name+" WITH PASSWORD = '"+password+"'")
	var e mssql.Error
	if errors.As(err, &e) && e.Number == 15247 {
		m.t.Skip("the test's login may not create logins")
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { m.execLate("DROP LOGIN " + name) })
	m.exec("CREATE USER " + name + " FOR LOGIN " + name + " WITH DEFAULT_SCHEMA = guest") // every statement names dbo
	m.t.Cleanup(func() { m.execLate("DROP USER " + name) })
	if role != "" {
		m.exec("ALTER ROLE " + role + " ADD MEMBER " + name)
	}
	u, err := url.Parse(m.url)
	if err != nil {
		m.t.Fatal("the server's URL cannot be read")
	}
	u.User = url.UserPassword(name, password)
	user := *m
	user.url = u.String()
	user.raw = openRaw(m.t, user.url)
	return &user
}

// refused wants the database to deny this user a statement.
func (m *mirror) refused(statement string) {
	m.t.Helper()
	var e mssql.Error
	if _, err := m.raw.ExecContext(m.ctx, statement); !errors.As(err, &e) {
		m.t.Errorf("%s: %v, want the database to refuse it", statement, err)
	}
}

// serve does everything that the service does once.
func (m *mirror) serve() {
	m.t.Helper()
	m.must(m.CheckMigrated(m.ctx))
	m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: member, Domain: "my.bitrix24.ru", State: leads.PortalActive}))
	m.must(m.SaveGrant(m.ctx, leads.Grant{MemberID: member, AccessToken: "a", RefreshToken: "r", ExpiresAt: start.Add(time.Hour)}))
	_, err := m.RotateGrant(m.ctx, "r", leads.Grant{MemberID: member, AccessToken: "b", RefreshToken: "s", ExpiresAt: start.Add(time.Hour)})
	m.must(err)
	m.raise(member)
	tickets := leads.NewTickets(1)
	lead := card(m.t, 1, map[string]any{"TITLE": strings.Repeat("x", 5000), "UF_CRM_SOLUTION": "s", "UF_CRM_1": "f", "PHONE": []any{phone("1", "+7 900 000-00-01")}})
	m.verdict(leads.Inserted, seen(tickets.Draw(), lead))
	m.verdict(leads.Updated, seen(tickets.Draw(), card(m.t, 1, map[string]any{"TITLE": "y", "PHONE": []any{phone("1", "+7 900 000-00-01")}})))
	m.verdict(leads.Deleted, proven(tickets.Draw(), 1))
	var many []leads.Snapshot
	for id := int64(2); id < 60; id++ {
		many = append(many, seen(tickets.Draw(), card(m.t, id, map[string]any{"TITLE": "t", "PHONE": []any{phone("1", "+7 900 000-00-02")}})))
	}
	m.apply(many...) // by bulk copy
	m.drain()
	m.must(m.SaveSchema(m.ctx, member, 1, leads.Schema{Fields: []leads.FieldType{{Field: "UF_CRM_1", Type: "string"}}, ReadAt: start}))
	_, err = m.Schema(m.ctx, member)
	m.must(err)
	m.must(m.TouchLeadList(m.ctx, start))
	m.must(m.RecordFailure(m.ctx, leads.Ref{MemberID: member, LeadID: 1}, "reason", []byte("{}")))
	_, err = m.CountFailure(m.ctx, leads.Ref{MemberID: member, LeadID: 1}, "event", "reason", func(int) time.Time { return start })
	m.must(err)
	m.must(m.ForgetFailures(m.ctx, member, []int64{1}))
	m.must(m.AddIncident(m.ctx, leads.Incident{MemberID: member, Kind: leads.IncidentDown, From: start, To: start}))
	_, err = m.RequestRun(m.ctx, leads.Run{MemberID: member, Mode: leads.RunFull})
	m.must(err)
	if _, ok, err := m.ClaimRun(m.ctx, member); err != nil || !ok {
		m.t.Fatalf("claim: %v, %v", ok, err)
	}
	if _, err = m.Range(m.ctx, member, 0, leads.MaxID, 100); err != nil {
		m.t.Fatal(err)
	}
	if err := m.ErasePortal(m.ctx, other); err != nil {
		m.t.Fatal(err)
	}
	m.must(m.SetPortalState(m.ctx, member, leads.PortalUninstalled))
}
