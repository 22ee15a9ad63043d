package repo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// columnKinds are the types that leadsync can use for a type of the script.
var columnKinds = map[string][]string{
	"int":      {"int", "bigint"},
	"datetime": {"datetime", "datetime2", "smalldatetime"},
	"nvarchar": {"nvarchar", "ntext"},
}

// compared are the tables whose rows passes compare with the portal; into the others leadsync writes
// down what happened.
var compared = []string{"bitrix_leads", "bitrix_lead_contacts", "bitrix_lead_solution"}

// alters says how a column gives back another value than it was given: a pass would find such a row
// stale each night, write it again and announce it, for ever.
func alters(f fact, want scriptColumn) string {
	length := f.number("length") // in bytes, -1 is max
	switch kind := f["type"]; {
	case kind == "smalldatetime" && slices.Contains(compared, strings.ToLower(f["table"])):
		return "rounds times to minutes"
	case kind == "char" || kind == "nchar":
		return "fills texts up with spaces"
	case inUTF8(f) && length > 0 && (want.width < 0 || length < 3*want.width): // a unit of UTF-16 has up to three bytes
		return "counts bytes where leadsync counts letters"
	}
	return ""
}

func inUTF8(f fact) bool {
	return f["type"] == "varchar" && strings.HasSuffix(strings.ToUpper(f["collation"]), "UTF8")
}

// judgeColumns compares the columns with those of the call centre's script.
func judgeColumns(about *surroundings, facts []fact) []Condition {
	found := judgeSQLiteColumns(about, facts)
	var narrow, foreign, ansi []string
	for _, table := range slices.Sorted(maps.Keys(about.widths)) {
		for _, want := range about.widths[table] {
			f, ok := findColumn(facts, table, want.name)
			if !ok || f.is("computed") {
				continue
			}
			name, kind, length := table+"."+want.name, f["type"], f.number("length")
			if strings.HasPrefix(kind, "n") && length > 0 {
				length /= 2 // bytes
			}
			switch how := alters(f, want); {
			case how != "" && want.kind != "int":
				found = append(found, condition(Stops, "change it to "+want.kind, "%s has the type %s, which %s: each pass would find its rows different and write them again", name, kind, how))
				continue
			case want.kind == "nvarchar" && inUTF8(f):
			case want.kind == "nvarchar" && slices.Contains([]string{"varchar", "text"}, kind):
				ansi = append(ansi, name+" "+kind)
			case !slices.Contains(columnKinds[want.kind], kind):
				found = append(found, condition(Stops, "change it to "+want.kind, "%s has the type %s, and leadsync writes %s", name, kind, want.kind))
				continue
			}
			if want.kind != "nvarchar" {
				continue
			}
			if kind != "ntext" && kind != "text" && length > 0 && (want.width < 0 || length < want.width) {
				narrow = append(narrow, fmt.Sprintf("%s(%d)", name, length))
			}
			if c := f["collation"]; c != "" && about.collation != "" && c != about.collation {
				foreign = append(foreign, name+" "+c)
			}
		}
	}
	gather := func(list []string, do, words string) {
		if len(list) > 0 {
			slices.Sort(list)
			found = append(found, condition(Warns, do, words, strings.Join(list, ", ")))
		}
	}
	gather(narrow, "widen them: ALTER TABLE … ALTER COLUMN … nvarchar(3000) NULL", "narrower than the call centre's script makes them, so longer values do not fit: %s")
	gather(ansi, "change them to nvarchar", "letters outside the code page become question marks, and each pass writes leads with such letters again: %s")
	gather(foreign, "give them the database's collation, "+about.collation, "another collation than the database's, so comparisons with other columns can fail: %s")
	return found
}

// judgeSQLiteColumns compares the columns with the script's where types say nothing.
func judgeSQLiteColumns(about *surroundings, facts []fact) (found []Condition) {
	for _, table := range slices.Sorted(maps.Keys(about.widths)) {
		if !slices.ContainsFunc(facts, func(f fact) bool { return strings.EqualFold(f["table"], table) }) {
			continue // it is made
		}
		for _, want := range about.widths[table] {
			f, ok := findColumn(facts, table, want.name)
			switch {
			case !ok:
				found = append(found, condition(Stops, "add it, as the call centre's script makes it", "%s has no column %s", table, want.name))
			case f.is("computed"):
				found = append(found, condition(Stops, "make it an ordinary column", "%s.%s is computed, and leadsync writes it", table, want.name))
			case want.name == "Id" && !f.is("identity"):
				found = append(found, condition(Stops, "make it an IDENTITY column", "%s.Id does not number new rows by itself", table))
			case want.name != "Id" && want.name != "sql_ID" && !f.is("nullable"):
				found = append(found, condition(Stops, "let it be NULL", "%s.%s must not be NULL, and leadsync writes NULL where the portal has no value", table, want.name))
			}
		}
	}
	return append(found, judgeMoreColumns(about, facts)...)
}

// judgeMoreColumns looks at columns that the script does not make.
func judgeMoreColumns(about *surroundings, facts []fact) (found []Condition) {
	for _, f := range facts {
		known := slices.ContainsFunc(about.widths[strings.ToLower(f["table"])], func(c scriptColumn) bool { return strings.EqualFold(c.name, f["column"]) })
		switch {
		case known || ownColumns[f["column"]]:
		case f.is("computed"):
			found = append(found, condition(Tells, "", "%s.%s is computed: it stays, and duplicates are kept without it", f["table"], f["column"]))
		case !f.is("nullable") && !f.is("defaulted") && !f.is("identity"):
			found = append(found, condition(Stops, "let it be NULL, or give it a default", "%s.%s needs a value, and leadsync does not know the column", f["table"], f["column"]))
		}
	}
	return found
}

// ownColumns are there where an adoption was cut.
var ownColumns = map[string]bool{"member_id": true, "read_ticket": true, "revision": true}

func findColumn(facts []fact, table, column string) (fact, bool) {
	i := slices.IndexFunc(facts, func(f fact) bool {
		return strings.EqualFold(f["table"], table) && strings.EqualFold(f["column"], column)
	})
	if i < 0 {
		return nil, false
	}
	return facts[i], true
}
