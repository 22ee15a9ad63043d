package repo_test

import (
	"fmt"
	"testing"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/repo/repotest"
)

// BenchmarkApply measures leads per second, one by one and in batches of several sizes, and
// the ratio of each size to one by one. New: leads that the mirror does not have. Changed:
// leads in which two fields differ. Same: unchanged leads.
func BenchmarkApply(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) { benchmarkApply(b, repotest.SQLite()) })
	b.Run("SQLServer", func(b *testing.B) { benchmarkApply(b, sqlServer(b)) })
}

func benchmarkApply(b *testing.B, server repotest.Server) {
	b.Helper()
	db, err := repo.Open(b.Context(), repo.Config{URL: server.URL(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	tickets := leads.NewTickets(0)
	next := int64(0)
	for _, work := range []string{"new", "changed", "same"} {
		single := 0.0
		for _, size := range []int{1, 10, 50, 500, 1000} {
			b.Run(fmt.Sprint(work, "/", size), func(b *testing.B) {
				batch := make([]leads.Snapshot, size)
				first := next + 1
				fill := func(version int) {
					for i := range batch {
						batch[i] = benchmarkCard(b, tickets.Draw(), first+int64(i), version)
					}
				}
				if work != "new" {
					fill(0)
					mustApply(b, db, batch)
				}
				applied := 0
				for b.Loop() {
					b.StopTimer()
					version := 0
					switch work {
					case "new":
						first += int64(size)
					case "changed":
						version = applied + 1
					}
					fill(version)
					b.StartTimer()
					mustApply(b, db, batch)
					applied += size
				}
				next = first + int64(size)
				rate := float64(applied) / b.Elapsed().Seconds()
				if size == 1 {
					single = rate
				}
				b.ReportMetric(rate, "leads/s")
				if single > 0 {
					b.ReportMetric(rate/single, "x-single")
				}
			})
		}
	}
}

func mustApply(b *testing.B, db *repo.DB, batch []leads.Snapshot) {
	b.Helper()
	outcomes, err := db.Apply(b.Context(), batch)
	if err != nil {
		b.Fatal(err)
	}
	for _, o := range outcomes {
		if o.Err != nil {
			b.Fatal(o.Err)
		}
	}
}

// benchmarkCard is a lead of ordinary size: about 1.5 KB, a phone number and an address.
func benchmarkCard(tb testing.TB, ticket leads.Ticket, id int64, version int) leads.Snapshot {
	tb.Helper()
	lead, err := leads.Parse(fmt.Appendf(nil, `{"ID":"%d","TITLE":"Заявка с сайта № %d","HONORIFIC":null,"NAME":"Иван","SECOND_NAME":"Иванович",
		"LAST_NAME":"Петров","COMPANY_TITLE":"ООО «Ромашка»","COMPANY_ID":"0","CONTACT_ID":"2069","IS_RETURN_CUSTOMER":"N","BIRTHDATE":"",
		"SOURCE_ID":"CALL","SOURCE_DESCRIPTION":null,"STATUS_ID":"IN_PROCESS","STATUS_DESCRIPTION":null,"POST":"директор",
		"COMMENTS":"Просил перезвонить после обеда, интересует поставка %d.","CURRENCY_ID":"RUB","OPPORTUNITY":"15000.00",
		"IS_MANUAL_OPPORTUNITY":"Y","HAS_PHONE":"Y","HAS_EMAIL":"Y","HAS_IMOL":"N","ASSIGNED_BY_ID":"1","CREATED_BY_ID":"1",
		"MODIFY_BY_ID":"1","DATE_CREATE":"2021-05-31T15:10:16+03:00","DATE_MODIFY":"2021-11-26T18:56:13+03:00","DATE_CLOSED":"",
		"STATUS_SEMANTIC_ID":"P","OPENED":"Y","ORIGINATOR_ID":null,"ORIGIN_ID":null,"MOVED_BY_ID":"1","MOVED_TIME":"2021-07-16T16:43:44+03:00",
		"ADDRESS":"ул. Ленина, 1","ADDRESS_CITY":"Екатеринбург","UTM_SOURCE":"yandex","UTM_MEDIUM":"cpc","LAST_ACTIVITY_BY":"1",
		"LAST_ACTIVITY_TIME":"2021-05-31T15:10:16+03:00","UF_CRM_1704817278":"значение",
		"PHONE":[{"ID":"1%d","VALUE_TYPE":"WORK","VALUE":"+7 (343) 345-67-89","TYPE_ID":"PHONE"}],
		"EMAIL":[{"ID":"2%d","VALUE_TYPE":"WORK","VALUE":"ivan@example.org","TYPE_ID":"EMAIL"}]}`, id, version, version, id, id))
	if err != nil {
		tb.Fatal(err)
	}
	return leads.Snapshot{Ref: leads.Ref{MemberID: "benchmark", LeadID: id}, Ticket: ticket, Lead: lead}
}
