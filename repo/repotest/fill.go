package repotest

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// FilledMember is the portal that Fill inserts.
const FilledMember = member

// FilledDigits is a number of lead i and of all leads that share it.
func FilledDigits(i int) string { return strconv.Itoa(9_000_000_000 + i) }

// The leads are of ordinary size; two thirds are closed. Each has a number of its own; three
// in ten have a second one, which another lead has, too.
const (
	fillLeadsSQLite = `
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @n)
INSERT INTO bitrix_leads (sql_ID, member_id, read_ticket, revision, row_hash, read_at, raw_json, sql_TITLE, sql_NAME, sql_SECOND_NAME, sql_LAST_NAME,
    sql_COMPANY_TITLE, sql_ASSIGNED_BY_ID, sql_STATUS_ID, sql_STATUS_SEMANTIC_ID, sql_COMMENTS, sql_DATE_CREATE, date_create_at, date_modify_at)
SELECT i, @member_id, 1, 1, 'v1:0', '2026-11-23T10:00:00.000Z', @raw, 'Заявка с сайта № ' || i, 'Иван', 'Иванович', 'Петров-' || i,
    'ООО «Ромашка-' || i % 5000 || '»', '' || i % 40, 'IN_PROCESS', substr('PSF', 1 + i % 3, 1), 'Просил перезвонить после обеда.',
    strftime('%Y-%m-%dT%H:%M:%S', 1600000000 + 60 * i, 'unixepoch'), strftime('%Y-%m-%dT%H:%M:%SZ', 1600000000 + 60 * i, 'unixepoch'), '2026-11-23T10:00:00Z'
FROM n`
	fillPhonesSQLite = `
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @n),
p(i, digits, position) AS (SELECT i, 9000000000 + i, 1 FROM n
    UNION ALL SELECT i, 9000000001 + i * 7919 % @n, 2 FROM n WHERE i % 10 < 3 AND 1 + i * 7919 % @n <> i)
INSERT INTO leadsync_phones (digits10, repeated, closed, created_at, lead_id, member_id, position, contact_id, e164)
SELECT p.digits, 0, l.sql_STATUS_SEMANTIC_ID <> 'P', l.date_create_at, p.i, @member_id, p.position, p.i, '+7' || p.digits
FROM p INNER JOIN bitrix_leads AS l ON l.member_id = @member_id AND l.sql_ID = p.i`

	numbersSQLServer = `
WITH d AS (SELECT 0 AS x UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6
    UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9),
m AS (SELECT CONVERT(bigint, 1 + a.x + 10 * b.x + 100 * c.x + 1000 * e.x + 10000 * f.x + 100000 * g.x) AS i
    FROM d AS a CROSS JOIN d AS b CROSS JOIN d AS c CROSS JOIN d AS e CROSS JOIN d AS f CROSS JOIN d AS g),
n AS (SELECT i FROM m WHERE i <= @n)`
	fillLeadsSQLServer = numbersSQLServer + `
INSERT INTO dbo.bitrix_leads (sql_ID, member_id, read_ticket, revision, row_hash, read_at, raw_json, sql_TITLE, sql_NAME, sql_SECOND_NAME, sql_LAST_NAME,
    sql_COMPANY_TITLE, sql_ASSIGNED_BY_ID, sql_STATUS_ID, sql_STATUS_SEMANTIC_ID, sql_COMMENTS, date_create_at, date_modify_at)
SELECT i, @member_id, 1, 1, N'v1:0', '2026-11-23T10:00:00+00:00', @raw, N'Заявка с сайта № ' + CONVERT(nvarchar(10), i), N'Иван', N'Иванович',
    N'Петров-' + CONVERT(nvarchar(10), i), N'ООО «Ромашка»', CONVERT(nvarchar(10), i % 40), N'IN_PROCESS', SUBSTRING(N'PSF', CONVERT(int, 1 + i % 3), 1),
    N'Просил перезвонить после обеда.', DATEADD(minute, CONVERT(int, i), CONVERT(datetimeoffset(0), '2020-09-13T12:26:40+00:00')), '2026-11-23T10:00:00+00:00'
FROM n`
	fillPhonesSQLServer = numbersSQLServer + `,
p AS (SELECT i, CONVERT(nvarchar(10), 9000000000 + i) AS digits, 1 AS position FROM n
    UNION ALL SELECT i, CONVERT(nvarchar(10), 9000000001 + i * 7919 % @n), 2 FROM n WHERE i % 10 < 3 AND 1 + i * 7919 % @n <> i)
INSERT INTO dbo.leadsync_phones (digits10, repeated, closed, created_at, lead_id, member_id, position, contact_id, e164)
SELECT p.digits, 0, CASE WHEN l.sql_STATUS_SEMANTIC_ID = N'P' THEN 0 ELSE 1 END, l.date_create_at, p.i, @member_id, p.position,
    CONVERT(nvarchar(10), p.i), N'+7' + p.digits
FROM p INNER JOIN dbo.bitrix_leads AS l ON l.member_id = @member_id AND l.sql_ID = p.i`
)

// Fill inserts leads with ids 1 to n, at most a million, and 1.3 times as many phones into a
// migrated database, without package repo. It is for benchmarks.
func Fill(tb testing.TB, url string, n int) {
	tb.Helper()
	db := openRaw(tb, url)
	raw := fmt.Sprintf(`{"ID":"1","UF_CRM_1704817278":"%s"}`, strings.Repeat("значение ", 80)) // 1.4 KB, like a real card
	fill := []string{fillLeadsSQLServer, fillPhonesSQLServer}
	if strings.HasPrefix(url, "sqlite:") {
		fill = []string{fillLeadsSQLite, fillPhonesSQLite}
	}
	for _, statement := range fill {
		_, err := db.ExecContext(tb.Context(), statement, sql.Named("n", n), sql.Named("member_id", member), sql.Named("raw", raw))
		if err != nil {
			tb.Fatalf("fill: %v", err)
		}
	}
}
