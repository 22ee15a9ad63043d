package repo

import (
	"fmt"
	"strings"
)

// sqlServerChecks are in the order in which they are printed; the first ones tell the others about
// the database.
var sqlServerChecks = []check{
	{"database", true, judgeDatabase},
	{"server", true, judgeServer},
	{"permissions", true, judgePermissions},
	{"schemas", true, judgeSchemas},
	{"size", false, judgeSize},
	{"duplicates", false, judgeDuplicates},
	{"files", false, judgeFiles},
	{"log", false, judgeLog},
	{"columns", false, judgeColumns},
	{"tables", false, judgeTables},
	{"copies", false, judgeCopies},
	{"fulltext", false, judgeFullText},
	{"bound", false, judgeBound},
	{"triggers", false, judgeTriggers},
	{"identity", false, judgeIdentity},
	{"locks", false, judgeLocks},
}

var sqliteChecks = []check{
	{"integrity", false, judgeIntegrity},
	{"size", false, judgeSize},
	{"duplicates", false, judgeDuplicates},
	{"columns", false, judgeSQLiteColumns},
	{"triggers", false, judgeTriggers},
}

func condition(severity Severity, do, format string, args ...any) Condition {
	return Condition{Severity: severity, Found: fmt.Sprintf(format, args...), Do: do}
}

func judgeDatabase(about *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		about.collation = f["collation_name"]
		if f["schema_id"] == "" {
			found = append(found, condition(Stops, "run CREATE SCHEMA "+about.schema+", or correct LEADSYNC_DATABASE_SCHEMA", "the schema %s does not exist", about.schema))
		}
		if f.is("read_only") {
			found = append(found, condition(Stops, "ALTER DATABASE CURRENT SET READ_WRITE, or connect to the primary replica", "the database is read-only"))
		}
		if !f.is("rcsi") {
			found = append(found, condition(Tells, "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON, when no one else is connected",
				"readers wait for writers (READ_COMMITTED_SNAPSHOT is off): reports stand still while leadsync writes the rows they read"))
		}
		if recovery := f["recovery"]; recovery != "" && recovery != "SIMPLE" {
			found = append(found, condition(Tells, "back up the log during the migration, as often as it needs room",
				"the recovery model is %s: the log keeps every change until it is backed up, which is right where that is done regularly", recovery))
		}
	}
	return found
}

// firstMajor is the major version of SQL Server 2016.
const firstMajor = 13

func judgeServer(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		found = append(found, condition(Tells, "", "version %s, %s", f["version"], f["edition"]))
		major := fact{"n": strings.SplitN(f["version"], ".", 2)[0]}.number("n")
		cloud := f["engine"] == "5" || f["engine"] == "8" // Azure, whose versions count otherwise
		if major < firstMajor && !cloud {
			found = append(found, condition(Warns, "use SQL Server 2016 or newer", "the server calls itself version %s, and leadsync is made for SQL Server 2016 (13) and newer", f["version"]))
		}
	}
	return found
}

func judgePermissions(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		if !f.is("granted") {
			found = append(found, condition(Stops, "run leadsync migrate with a login that has it, such as a member of db_owner", "the login lacks the right %s", f["right"]))
		}
	}
	return found
}

func judgeSchemas(about *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		do := "make sure that reports read those in " + about.schema
		severity := Warns
		if f["table"] == "bitrix_leads" && !f.is("here") && !f.is("ours") { // an empty one would be made beside it
			severity, do = Stops, "set LEADSYNC_DATABASE_SCHEMA="+f["schema"]+" where this is the call centre's, else rename it"
		}
		found = append(found, condition(severity, do, "the table %s is also in the schema %s", f["table"], f["schema"]))
	}
	return found
}

func judgeSize(about *surroundings, facts []fact) (found []Condition) {
	total := int64(0)
	var parts []string
	for _, f := range facts {
		about.bytes += f.number("bytes")
		total += f.number("rows")
		parts = append(parts, fmt.Sprintf("%s %d rows, %s", f["table"], f.number("rows"), megabytes(f.number("bytes"))))
	}
	if len(parts) > 0 {
		found = append(found, condition(Tells, "", "%s", strings.Join(parts, "; ")))
	}
	if total > 0 {
		found = append(found, condition(Tells, "", "taking over %d rows takes %s; readers go on, but at the end the tables are locked for up to half of that", total, duration(total)))
	}
	return found
}

// slowRows is how many rows a second a small server takes over.
const slowRows = 3000

func duration(rows int64) string {
	switch minutes := rows / slowRows / 60; {
	case minutes < 1:
		return "about a minute"
	case minutes < 120:
		return fmt.Sprintf("up to about %d minutes", minutes+1)
	default:
		return fmt.Sprintf("up to about %d hours", minutes/60+1)
	}
}

func megabytes(bytes int64) string { return fmt.Sprintf("%d MB", (bytes+1<<20-1)>>20) }

func judgeDuplicates(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		if more := f.number("rows") - f.number("leads"); more > 0 {
			found = append(found, condition(Tells, "", "%d of %d rows of bitrix_leads have a newer row of the same lead: they move to leadsync_duplicate_leads", more, f.number("rows")))
		}
	}
	return found
}

// needed is the room that a migration takes, roughly: keys, indexes and moved rows.
func (s *surroundings) needed() int64 { return s.bytes / 2 }

func judgeFiles(about *surroundings, facts []fact) (found []Condition) {
	free, grows := int64(0), false
	for _, f := range facts {
		free += f.number("bytes") - f.number("used")
		grows = grows || f.is("growth") && (f.number("max_size") < 0 || f.number("max_size")*8192 > f.number("bytes"))
	}
	switch need := about.needed(); {
	case len(facts) == 0:
	case free >= need || grows:
		found = append(found, condition(Tells, "", "%s are free in the data files, about %s are needed", megabytes(free), megabytes(need)))
	default:
		found = append(found, condition(Stops, "enlarge the data files, or let them grow", "only %s are free in the data files, which do not grow; about %s are needed", megabytes(free), megabytes(need)))
	}
	return found
}

func judgeLog(about *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		free := f.number("bytes") - f.number("used")
		if free < about.needed() && !f.is("growth") {
			found = append(found, condition(Warns, "enlarge the log, or back it up during the migration",
				"only %s are free in the log, which does not grow; about %s are written, in small transactions and one larger one at the end", megabytes(free), megabytes(about.needed())))
		}
	}
	return found
}

func judgeTables(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		switch {
		case f.is("memory"):
			found = append(found, condition(Stops, "make it a table on disk", "%s is memory-optimized, and such tables cannot get leadsync's columns and locks", f["table"]))
		case f.is("temporal"):
			found = append(found, condition(Warns, "ALTER TABLE "+f["table"]+" SET (SYSTEM_VERSIONING = OFF), unless its history is wanted",
				"%s keeps a history (system-versioned): the migration and every write of leadsync add to it", f["table"]))
		}
	}
	return found
}

func judgeCopies(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		by, stop := "replication", "take the table out of the publication before, and put it back afterwards"
		if f.is("cdc") {
			by, stop = "change data capture", "run sys.sp_cdc_disable_table before, and sys.sp_cdc_enable_table afterwards"
		}
		if f.is("texts") {
			found = append(found, condition(Stops, stop, "%s is read by %s, and the server refuses to change its ntext column to nvarchar(max)", f["table"], by))
			continue
		}
		found = append(found, condition(Warns, "decide whether leadsync's columns and its writes belong there", "%s is read by %s, which will see every row of the migration", f["table"], by))
	}
	return found
}

func judgeFullText(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		if f["type"] == "ntext" {
			found = append(found, condition(Stops, "ALTER FULLTEXT INDEX ON "+f["table"]+" DROP ("+f["column"]+") before, and ADD it afterwards",
				"%s.%s is in a full-text index, and the server refuses to change such a column from ntext to nvarchar(max)", f["table"], f["column"]))
			continue
		}
		found = append(found, condition(Tells, "", "%s.%s is in a full-text index, which leadsync's writes keep up to date", f["table"], f["column"]))
	}
	return found
}

func judgeBound(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		switch {
		case f["type"] == "ntext":
			found = append(found, condition(Stops, "drop it before, and create it again afterwards",
				"%s is bound to %s.%s (WITH SCHEMABINDING), and the server refuses to change that column to nvarchar(max)", f["object"], f["table"], f["column"]))
		case f.is("indexed") && f["column"] == "":
			found = append(found, condition(Warns, "drop its index, unless it is needed", "the indexed view %s reads %s: every write of leadsync updates it, too", f["object"], f["table"]))
		case f["column"] == "":
			found = append(found, condition(Tells, "drop it before leadsync migrate --down", "%s is bound to %s (WITH SCHEMABINDING)", f["object"], f["table"]))
		}
	}
	return found
}

func judgeTriggers(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		found = append(found, condition(Warns, "read it, and disable it unless it is needed",
			"the trigger %s on %s runs with each batch of the migration and each write of leadsync; one that fails stops them", f["trigger"], f["table"]))
	}
	return found
}

// identityEnd is the largest Id, and identitySoon where a person should do something.
const (
	identityEnd  = 1<<31 - 1
	identitySoon = identityEnd / 5 * 4
)

func judgeIdentity(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		if last := f.number("last"); last > identitySoon {
			found = append(found, condition(Warns, "make Id a bigint, or number the rows again", "the Id of %s has reached %d and ends at %d: then nothing can be inserted", f["table"], last, identityEnd))
		}
	}
	return found
}

func judgeLocks(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		found = append(found, condition(Warns, "end it, or have the migration wait", "session %s (%s, login %s, on %s) has locks on %s; the migration waits for it", f["session"], f["program"], f["login"], f["host"], f["table"]))
	}
	return found
}

func judgeIntegrity(_ *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		found = append(found, condition(Stops, "restore a backup", "the file is damaged: %s", f["problem"]))
	}
	return found
}
