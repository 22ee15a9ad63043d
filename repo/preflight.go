package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

// Severity says what a condition means for a migration.
type Severity string

// The severities.
const (
	Stops Severity = "stops" // the migration or the service would fail: nothing is begun
	Warns Severity = "warns" // it works, and somebody may not like how
	Tells Severity = "tells" // worth knowing
)

// Condition is something in a database that a person should know before leadsync changes it.
type Condition struct {
	Check    string // which check found it
	Severity Severity
	Found    string
	Do       string // what to do about it; "" is nothing
}

// fact is a row that a check has asked for: text by the name of its column, NULL is "".
type fact map[string]string

func (f fact) number(name string) int64 {
	n, err := strconv.ParseFloat(f[name], 64) // bytes come with a fraction
	if err != nil {
		return 0
	}
	return int64(n)
}

func (f fact) is(name string) bool { return f.number(name) != 0 }

// surroundings are what checks find out for the checks behind them.
type surroundings struct {
	schema    string
	readsJSON bool   // whatever level the database calls itself
	collation string // the database's
	bytes     int64  // of the call centre's tables
	widths    map[string][]scriptColumn
}

// check is one question to the database, its statement in sql/*/preflight/<name>.sql.
type check struct {
	name   string
	always bool // also where no tables are taken over
	judge  func(*surroundings, []fact) []Condition
}

// Preflight looks for what could disturb a migration, and changes nothing. A check that the
// login may not make, or that the server does not know, is a condition that says so.
func (d *DB) Preflight(ctx context.Context) ([]Condition, error) {
	foreign, err := d.NeedsAdoption(ctx)
	if err != nil {
		return nil, wrap(err, "preflight")
	}
	about := &surroundings{schema: d.dialect.schema, widths: scriptColumns(d.dialect.migrations)}
	var found []Condition
	for _, c := range d.dialect.checks {
		if !foreign && !c.always {
			continue
		}
		conditions, err := d.ask(ctx, c, about)
		if err != nil {
			return found, wrap(err, "preflight: %s", c.name)
		}
		found = append(found, conditions...)
	}
	if foreign && d.dialect.room != nil {
		found = append(found, d.dialect.room(about.bytes)...)
	}
	return found, nil
}

// notChecked begins what is found where the login may not ask, or the server does not know.
const notChecked = "not checked: "

// Unchecked tells that the condition could not be found out.
func (c Condition) Unchecked() bool { return strings.HasPrefix(c.Found, notChecked) }

// ask makes one check. Its error says that the database does not answer.
func (d *DB) ask(ctx context.Context, c check, about *surroundings) (found []Condition, err error) {
	facts, err := query(ctx, d.read, scanFact, d.dialect.preflight[c.name])
	if ctx.Err() != nil || d.faultOf(err) == faultBroken {
		return nil, d.explain(ctx, err)
	}
	if err != nil {
		return []Condition{{c.name, Tells, notChecked + firstLine(err), ""}}, nil
	}
	for _, condition := range c.judge(about, facts) {
		condition.Check = c.name
		found = append(found, condition)
	}
	return found, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// scanFact scans a row of any shape.
func scanFact(row scanner) (fact, error) {
	rows, ok := row.(*sql.Rows)
	if !ok {
		return nil, errors.New("a fact needs the names of its columns")
	}
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]sql.NullString, len(names))
	dest := make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	if err := rows.Scan(dest...); err != nil {
		return nil, err
	}
	f := fact{}
	for i, name := range names {
		f[strings.ToLower(name)] = truth(values[i].String)
	}
	return f, nil
}

// truth is how some servers write bits.
func truth(text string) string {
	switch text {
	case "true":
		return "1"
	case "false":
		return "0"
	}
	return text
}

// scriptColumn is a column as the call centre's script makes it.
type scriptColumn struct {
	name, kind string // kind is int, nvarchar or datetime
	width      int64  // of nvarchar in characters; -1 is max
}

var (
	scriptTable = regexp.MustCompile(`(?s)CREATE TABLE (?:IF NOT EXISTS )?(?:\[?\w+\]?\.)?(bitrix_\w+) \((.*?)\n\);`)
	scriptLine  = regexp.MustCompile(`(?m)^\s+(\w+) (int|INTEGER|nvarchar|TEXT|datetime)(?:\((\d+|max)\))?`)
)

// scriptColumns reads the columns of the call centre's tables from the first migration, which makes
// the tables as the call centre's script does.
func scriptColumns(migrations fs.FS) map[string][]scriptColumn {
	text, err := fs.ReadFile(migrations, "00001_adopt.sql")
	if err != nil {
		panic(fmt.Sprintf("leadsync/repo: %v", err)) // a mistake in the build
	}
	tables := map[string][]scriptColumn{}
	for _, table := range scriptTable.FindAllStringSubmatch(string(text), -1) {
		for _, line := range scriptLine.FindAllStringSubmatch(table[2], -1) {
			width, err := strconv.ParseInt(line[3], 10, 64)
			if err != nil {
				width = -1
			}
			tables[table[1]] = append(tables[table[1]], scriptColumn{line[1], strings.ToLower(line[2]), width})
		}
	}
	return tables
}
