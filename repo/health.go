package repo

import (
	"context"
	"strings"
)

// sqlServerHealth are the questions about a database that is in use, in the order in which they are
// printed. The statements are those of Preflight's folder.
var sqlServerHealth = []check{
	{"server", true, judgeServer},
	{"database", true, judgeSettings},
	{"schemas", true, judgeSchemas},
	{CheckRights, true, judgeRights},
	{"room", true, judgeRoom},
	{"statistics", true, judgeStatistics},
}

// CheckRights is the Check of conditions about the login's rights. They mean something where all
// tables exist.
const CheckRights = "rights"

// Health looks at a database that is in use: version, settings, rights, room, statistics. It
// changes nothing. What the login may not ask, or the server does not know, is a condition that
// says so.
func (d *DB) Health(ctx context.Context) (found []Condition, err error) {
	about := &surroundings{schema: d.dialect.schema, readsJSON: d.checkLevel(ctx) == nil}
	for _, c := range d.dialect.health {
		conditions, err := d.ask(ctx, c, about)
		if err != nil {
			return found, wrap(err, "health: %s", c.name)
		}
		found = append(found, conditions...)
	}
	return found, nil
}

// lowestLevel is the compatibility level of SQL Server 2016, the first that reads JSON. Compatible
// servers call themselves older than what they can do.
const lowestLevel = 130

func judgeSettings(about *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		if level := f.number("compatibility_level"); level > 0 && level < lowestLevel && !about.readsJSON {
			found = append(found, condition(Stops, "ALTER DATABASE CURRENT SET COMPATIBILITY_LEVEL = 130",
				"the compatibility level is %d, and leadsync needs 130 (SQL Server 2016) for JSON", level))
		} else if level > 0 {
			found = append(found, condition(Tells, "", "compatibility level %d", level))
		}
		if collation := f["collation_name"]; collation != "" {
			found = append(found, condition(Tells, "", "collation %s", collation))
			if strings.Contains(collation, "_BIN") || strings.Contains(collation, "_CS_") {
				found = append(found, condition(Warns, "nothing for leadsync itself; compare the call centre's reports", "%s distinguishes capital and small letters: reports that look for names may miss some", collation))
			}
		}
	}
	for _, c := range judgeDatabase(about, facts) {
		switch {
		case strings.Contains(c.Found, "READ_COMMITTED_SNAPSHOT"):
			c.Severity = Warns
		case strings.Contains(c.Found, "recovery model"): // only a migration writes that much
			continue
		}
		found = append(found, c)
	}
	return found
}

func judgeRights(about *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		found = append(found, condition(Stops, "have an administrator run deployments/sqlserver/grants.sql", "the login lacks %s on %s.%s", f["right"], about.schema, f["table"]))
	}
	if len(facts) == 0 {
		found = append(found, condition(Tells, "", "the login has the rights that the service needs"))
	}
	return found
}

// scarce is the share of a file's size that should be free where it cannot grow: a tenth.
const scarce = 10

// filesOf are the files of a kind: data or log.
type filesOf struct {
	kind, words, do string
}

var kindsOfFiles = []filesOf{
	{"0", "the data files", "enlarge the data files, or let them grow"},
	{"1", "the log", "enlarge the log, let it grow, or back it up more often"},
}

// judgeRoom knows nothing of the server's disks, so where files grow it is not known how long.
func judgeRoom(_ *surroundings, facts []fact) (found []Condition) {
	for _, kind := range kindsOfFiles {
		found = append(found, kind.judge(facts)...)
	}
	return found
}

func (k filesOf) judge(facts []fact) []Condition {
	seen, size, used, grows, endless := 0, int64(0), int64(0), false, false
	for _, f := range facts {
		if f["type"] != k.kind {
			continue
		}
		if f["used"] == "" {
			return []Condition{condition(Tells, "", notChecked+"the room in %s: the server does not say how much is used", k.words)}
		}
		seen++
		bytes := f.number("bytes")
		if most := f.number("max_size"); f.is("growth") && (most < 0 || most*8192 > bytes) {
			grows, endless, bytes = true, endless || most < 0, max(bytes, most*8192)
		}
		size += bytes
		used += f.number("used")
	}
	switch free := size - used; {
	case seen == 0:
		return []Condition{condition(Tells, "", notChecked+"the room in %s: the server shows none", k.words)}
	case !endless && free < size/scarce:
		return []Condition{condition(Warns, k.do, "only %s of %s are free in %s, which cannot grow beyond that", megabytes(free), megabytes(size), k.words)}
	case grows:
		return []Condition{condition(Tells, "", notChecked+"the room on the server's disk, on which %s grow: look there (they use %s now)", k.words, megabytes(used))}
	default:
		return []Condition{condition(Tells, "", "%s of %s are free in %s", megabytes(free), megabytes(size), k.words)}
	}
}

// Statistics of tables of this size are judged, where more than half of the rows have changed.
const judgedRows = 10_000

func judgeStatistics(about *surroundings, facts []fact) (found []Condition) {
	seen := 0
	var unseen []string
	for _, f := range facts {
		if f["statistic"] == "" {
			unseen = append(unseen, f["table"])
			continue
		}
		seen++
		if rows := f.number("rows"); rows > judgedRows && f.number("changed") > rows/2 {
			found = append(found, condition(Warns, "UPDATE STATISTICS "+about.schema+"."+f["table"]+", and leave AUTO_UPDATE_STATISTICS on",
				"%d of %d rows of %s have changed since %s was made: the server may choose slow plans", f.number("changed"), rows, f["table"], f["statistic"]))
		}
	}
	if len(found) == 0 && seen > 0 {
		found = append(found, condition(Tells, "", "the %d statistics of leadsync's tables that the server shows are up to date", seen))
	}
	switch {
	case seen == 0:
		found = append(found, condition(Tells, "", notChecked+"the server shows no statistics of leadsync's tables"))
	case len(unseen) > 0:
		found = append(found, condition(Tells, "", notChecked+"the server shows no statistics of %s", strings.Join(unseen, ", ")))
	}
	return found
}

// FreeBytes is the room on the disk of a file or directory; false where that is unknown.
func FreeBytes(path string) (int64, bool) { return freeBytes(path) }
