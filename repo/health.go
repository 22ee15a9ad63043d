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
	{"files", true, judgeRoom},
	{"statistics", true, judgeStatistics},
}

// CheckRights is the Check of conditions about the login's rights. They mean something where all
// tables exist.
const CheckRights = "rights"

// Health looks at a database that is in use: version, settings, rights, room, statistics. It
// changes nothing. What the login may not ask, or the server does not know, is a condition that
// says so.
func (d *DB) Health(ctx context.Context) (found []Condition, err error) {
	about := &surroundings{schema: d.dialect.schema}
	for _, c := range d.dialect.health {
		conditions, err := d.ask(ctx, c, about)
		if err != nil {
			return found, wrap(err, "health: %s", c.name)
		}
		found = append(found, conditions...)
	}
	return found, nil
}

// lowestLevel is the compatibility level of SQL Server 2016, the first that reads JSON.
const lowestLevel = 130

func judgeSettings(about *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		if level := f.number("compatibility_level"); level > 0 && level < lowestLevel {
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

// scarce is the share of a data file that should be free where it cannot grow: a tenth.
const scarce = 10

func judgeRoom(_ *surroundings, facts []fact) (found []Condition) {
	size, free, grows := int64(0), int64(0), false
	for _, f := range facts {
		size += f.number("bytes")
		free += f.number("bytes") - f.number("used")
		grows = grows || f.is("growth") && (f.number("max_size") < 0 || f.number("max_size")*8192 > f.number("bytes"))
	}
	switch {
	case len(facts) == 0:
		return nil
	case !grows && free < size/scarce:
		return []Condition{condition(Warns, "enlarge the data files, or let them grow", "only %s of %s are free in the data files, which do not grow", megabytes(free), megabytes(size))}
	}
	return []Condition{condition(Tells, "", "%s of %s are free in the data files", megabytes(free), megabytes(size))}
}

func judgeStatistics(about *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		found = append(found, condition(Warns, "UPDATE STATISTICS "+about.schema+"."+f["table"]+", and leave AUTO_UPDATE_STATISTICS on",
			"%d of %d rows of %s have changed since %s was made: the server may choose slow plans", f.number("changed"), f.number("rows"), f["table"], f["statistic"]))
	}
	if len(facts) == 0 {
		found = append(found, condition(Tells, "", "the statistics of leadsync's indexes are up to date"))
	}
	return found
}

// FreeBytes is the room on the disk of a file or directory; false where that is unknown.
func FreeBytes(path string) (int64, bool) { return freeBytes(path) }
