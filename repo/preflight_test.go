package repo_test

import (
	"maps"
	"strings"
	"testing"

	"leadsync/repo"
)

type row = map[string]string

// Each judge gets the rows that SQL Server's documentation says its catalogue would have.
func TestPreflightJudges(t *testing.T) {
	t.Parallel()
	database := row{"collation_name": "Cyrillic_General_CI_AS", "rcsi": "1", "recovery": "SIMPLE", "read_only": "0", "schema_id": "1"}
	with := func(of row, name, value string) row {
		of = maps.Clone(of)
		of[name] = value
		return of
	}
	big := map[string][]row{"size": {{"table": "bitrix_leads", "rows": "1000000", "bytes": "4000000000"}}}
	for _, c := range []struct {
		name, check string
		before      map[string][]row
		rows        []row
		severity    repo.Severity // "" is no condition
		words       string
	}{
		{"all is well", "database", nil, []row{database}, "", ""},
		{"readers wait", "database", nil, []row{with(database, "rcsi", "0")}, repo.Tells, "READ_COMMITTED_SNAPSHOT"},
		{"the log grows", "database", nil, []row{with(database, "recovery", "FULL")}, repo.Tells, "FULL"},
		{"read-only", "database", nil, []row{with(database, "read_only", "1")}, repo.Stops, "read-only"},
		{"no schema", "database", nil, []row{with(database, "schema_id", "")}, repo.Stops, "does not exist"},
		{"SQL Server 2014", "server", nil, []row{{"version": "12.0.6024.0", "edition": "Standard Edition (64-bit)", "engine": "2"}}, repo.Warns, "12.0"},
		{"SQL Server 2022", "server", nil, []row{{"version": "16.0.4165.4", "edition": "Standard Edition (64-bit)", "engine": "2"}}, repo.Tells, "16.0"},
		{"Azure SQL Database", "server", nil, []row{{"version": "12.0.2000.8", "edition": "SQL Azure", "engine": "5"}}, repo.Tells, "SQL Azure"},
		{"a right is there", "permissions", nil, []row{{"right": "ALTER on bitrix_leads", "granted": "1"}}, "", ""},
		{"a right is missing", "permissions", nil, []row{{"right": "ALTER on bitrix_leads", "granted": "0"}}, repo.Stops, "ALTER on bitrix_leads"},
		{"an unknown right", "permissions", nil, []row{{"right": "CREATE TABLE", "granted": ""}}, repo.Stops, "CREATE TABLE"},
		{"leads elsewhere", "schemas", nil, []row{{"schema": "crm", "table": "bitrix_leads", "here": "0", "ours": "0"}}, repo.Stops, "LEADSYNC_DATABASE_SCHEMA=crm"},
		{"another leadsync's leads", "schemas", nil, []row{{"schema": "crm", "table": "bitrix_leads", "here": "0", "ours": "1"}}, repo.Warns, "crm"},
		{"tables here and elsewhere", "schemas", nil, []row{{"schema": "old", "table": "bitrix_leads", "here": "1"}}, repo.Warns, "old"},
		{"size", "size", nil, big["size"], repo.Tells, "minutes"},
		{"duplicates", "duplicates", nil, []row{{"rows": "12", "leads": "10"}}, repo.Tells, "2 of 12"},
		{"no duplicates", "duplicates", nil, []row{{"rows": "12", "leads": "12"}}, "", ""},
		{"a full file", "files", big, []row{{"bytes": "5000000000.0", "used": "4900000000.0", "max_size": "-1", "growth": "0"}}, repo.Stops, "enlarge"},
		{"a file at its maximum", "files", big, []row{{"bytes": "8192000.0", "used": "8192000.0", "max_size": "1000", "growth": "10"}}, repo.Stops, "enlarge"},
		{"a file that grows", "files", big, []row{{"bytes": "5000000000.0", "used": "4900000000.0", "max_size": "-1", "growth": "8192"}}, repo.Tells, "free"},
		{"a small log", "log", big, []row{{"bytes": "1000000", "used": "900000", "growth": "0"}}, repo.Warns, "log"},
		{"a log that grows", "log", big, []row{{"bytes": "1000000", "used": "900000", "growth": "8192"}}, "", ""},
		{"memory-optimized", "tables", nil, []row{{"table": "bitrix_leads", "memory": "1", "temporal": "0"}}, repo.Stops, "memory-optimized"},
		{"temporal", "tables", nil, []row{{"table": "bitrix_leads", "memory": "0", "temporal": "2"}}, repo.Warns, "SYSTEM_VERSIONING"},
		{"CDC with ntext", "copies", nil, []row{{"table": "bitrix_leads", "cdc": "1", "replicated": "0", "texts": "1"}}, repo.Stops, "sp_cdc_disable_table"},
		{"CDC without", "copies", nil, []row{{"table": "bitrix_leads", "cdc": "1", "replicated": "0", "texts": "0"}}, repo.Warns, "change data capture"},
		{"published with ntext", "copies", nil, []row{{"table": "bitrix_leads", "cdc": "0", "replicated": "1", "texts": "1"}}, repo.Stops, "publication"},
		{"full text on ntext", "fulltext", nil, []row{{"table": "bitrix_leads", "column": "sql_COMMENTS", "type": "ntext"}}, repo.Stops, "DROP (sql_COMMENTS)"},
		{"full text on nvarchar", "fulltext", nil, []row{{"table": "bitrix_leads", "column": "sql_TITLE", "type": "nvarchar"}}, repo.Tells, "sql_TITLE"},
		{"bound to ntext", "bound", nil, []row{{"object": "v", "table": "bitrix_leads", "column": "sql_COMMENTS", "type": "ntext", "indexed": "0"}}, repo.Stops, "SCHEMABINDING"},
		{"bound to another column", "bound", nil, []row{{"object": "v", "table": "bitrix_leads", "column": "sql_ID", "type": "int", "indexed": "1"}}, "", ""},
		{"an indexed view", "bound", nil, []row{{"object": "v", "table": "bitrix_leads", "column": "", "type": "", "indexed": "1"}}, repo.Warns, "indexed view"},
		{"bound to the table", "bound", nil, []row{{"object": "v", "table": "bitrix_leads", "column": "", "type": "", "indexed": "0"}}, repo.Tells, "v is bound"},
		{"a trigger", "triggers", nil, []row{{"trigger": "tr", "table": "bitrix_leads"}}, repo.Warns, "tr on bitrix_leads"},
		{"an Id near its end", "identity", nil, []row{{"table": "bitrix_lead_contacts", "last": "2000000000"}}, repo.Warns, "2000000000"},
		{"an Id far from it", "identity", nil, []row{{"table": "bitrix_lead_contacts", "last": "1000000"}}, "", ""},
		{"a lock", "locks", nil, []row{{"table": "bitrix_leads", "session": "57", "program": "Microsoft SQL Server Management Studio", "login": "ivanov", "host": "PC7"}}, repo.Warns, "session 57"},
		{"a damaged file", "integrity", nil, []row{{"problem": "row 5 missing from index"}}, repo.Stops, "backup"},
	} {
		found := repo.Judge(c.check, c.before, c.rows...)
		if c.severity == "" {
			if len(found) != 0 {
				t.Errorf("%s: %+v, want nothing", c.name, found)
			}
			continue
		}
		hit := false
		for _, condition := range found {
			hit = hit || condition.Severity == c.severity && strings.Contains(condition.Found+" "+condition.Do, c.words)
		}
		if !hit {
			t.Errorf("%s: %+v, want one that %s with %q", c.name, found, c.severity, c.words)
		}
	}
}

// The columns of the call centre's own script are well; each change of one is noticed.
func TestPreflightJudgesColumns(t *testing.T) {
	t.Parallel()
	before := map[string][]row{"database": {{"collation_name": "Cyrillic_General_CI_AS", "schema_id": "1", "rcsi": "1"}}}
	if rows := repo.ScriptColumns(); len(rows) < 60 {
		t.Fatalf("the script has %d columns: the test would prove nothing", len(rows))
	}
	if found := repo.Judge("columns", before, repo.ScriptColumns()...); len(found) != 0 {
		t.Errorf("the script: %+v", found)
	}
	for _, c := range []struct {
		table, column, name, value string
		severity                   repo.Severity
		words                      string
	}{
		{"bitrix_leads", "sql_TITLE", "column", "sql_TITLE_OLD", repo.Stops, "no column sql_TITLE"},
		{"bitrix_leads", "sql_TITLE", "length", "510", repo.Warns, "sql_TITLE(255)"},
		{"bitrix_leads", "sql_COMMENTS", "length", "8000", repo.Warns, "sql_COMMENTS(4000)"},
		{"bitrix_leads", "sql_COMMENTS", "type", "ntext", "", ""},
		{"bitrix_leads", "sql_NAME", "type", "varchar", repo.Warns, "code page"},
		{"bitrix_leads", "sql_NAME", "type", "nchar", repo.Stops, "spaces"},
		{"bitrix_leads", "sql_STATUS_ID", "type", "char", repo.Stops, "spaces"},
		{"bitrix_leads", "sql_DATE_CREATE", "type", "smalldatetime", repo.Stops, "minutes"},
		{"bitrix_lead_runtime", "lead_list_dt", "type", "smalldatetime", "", ""},
		{"bitrix_leads", "sql_NAME", "type", "int", repo.Stops, "type int"},
		{"bitrix_leads", "sql_NAME", "collation", "Latin1_General_CI_AS", repo.Warns, "Latin1_General_CI_AS"},
		{"bitrix_leads", "sql_NAME", "computed", "1", repo.Stops, "computed"},
		{"bitrix_leads", "sql_NAME", "nullable", "0", repo.Stops, "NULL"},
		{"bitrix_leads", "sql_ID", "nullable", "0", "", ""},
		{"bitrix_leads", "sql_ID", "type", "nvarchar", repo.Stops, "type nvarchar"},
		{"bitrix_leads", "sql_DATE_MODIFY", "type", "nvarchar", repo.Stops, "type nvarchar"},
		{"bitrix_leads", "sql_DATE_MODIFY", "type", "datetime2", "", ""},
		{"bitrix_lead_contacts", "Id", "identity", "0", repo.Stops, "number new rows"},
	} {
		rows := repo.ScriptColumns()
		for i := range rows {
			if rows[i]["table"] == c.table && rows[i]["column"] == c.column {
				rows[i][c.name] = c.value
				break
			}
		}
		found := repo.Judge("columns", before, rows...)
		switch {
		case c.severity == "" && len(found) > 0:
			t.Errorf("%s.%s %s: %+v", c.column, c.name, c.value, found)
		case c.severity != "" && (len(found) == 0 || found[0].Severity != c.severity || !strings.Contains(found[0].Found, c.words)):
			t.Errorf("%s.%s %s: %+v, want one that %s with %q", c.column, c.name, c.value, found, c.severity, c.words)
		}
	}
	rows := repo.ScriptColumns()
	for i := range rows {
		if rows[i]["column"] == "sql_TITLE" {
			rows[i]["type"], rows[i]["collation"] = "varchar", "Cyrillic_General_100_CI_AS_SC_UTF8"
		}
	}
	if found := repo.Judge("columns", before, rows...); len(found) == 0 || found[0].Severity != repo.Stops || !strings.Contains(found[0].Found, "bytes") {
		t.Errorf("varchar of UTF-8: %+v", found)
	}
	for i := range rows {
		if rows[i]["type"] == "varchar" {
			rows[i]["length"] = "-1"
		}
	}
	for _, c := range repo.Judge("columns", before, rows...) {
		if c.Severity == repo.Stops || strings.Contains(c.Found, "code page") {
			t.Errorf("varchar(max) of UTF-8, which takes every text: %+v", c)
		}
	}
	for _, c := range []struct {
		more  row
		words string
	}{
		{row{"table": "bitrix_leads", "column": "branch", "type": "int", "nullable": "0", "defaulted": "0"}, "needs a value"},
		{row{"table": "bitrix_leads", "column": "branch", "type": "int", "nullable": "0", "defaulted": "1"}, ""},
		{row{"table": "bitrix_leads", "column": "whole", "type": "nvarchar", "nullable": "1", "computed": "1"}, "is computed"},
		{row{"table": "bitrix_leads", "column": "member_id", "type": "nvarchar", "nullable": "1"}, ""},
	} {
		found := repo.Judge("columns", before, append(repo.ScriptColumns(), c.more)...)
		if c.words == "" && len(found) > 0 || c.words != "" && (len(found) != 1 || !strings.Contains(found[0].Found, c.words)) {
			t.Errorf("%v: %+v, want %q", c.more, found, c.words)
		}
	}
}
