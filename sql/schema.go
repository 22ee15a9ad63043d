package sql

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"regexp"
)

// Texts are all texts of one database.
type Texts struct {
	Statements *Statements
	Migrations fs.FS             // as goose reads them
	Preflight  map[string]string // the questions before a migration, by name
}

// ServerIn returns the texts for tables in a schema of SQL Server; their files name dbo.
func ServerIn(schema string) (Texts, error) {
	t := Texts{Statements: &SQLServer, Migrations: SQLServerMigrations, Preflight: SQLServerPreflight}
	if schema == "dbo" {
		return t, nil
	}
	if !ValidSchema(schema) {
		return Texts{}, fmt.Errorf("schema %q: not a name that leadsync can use, want up to 128 letters, digits and _", schema)
	}
	statements := SQLServer
	for _, text := range reflect.ValueOf(&statements).Elem().Fields() {
		text.SetString(inSchema(text.String(), schema))
	}
	preflight := map[string]string{}
	for name, text := range SQLServerPreflight {
		preflight[name] = inSchema(text, schema)
	}
	return Texts{&statements, schemaFS{SQLServerMigrations, schema}, preflight}, nil
}

var schemaName = regexp.MustCompile(`^\w{1,128}$`)

// ValidSchema reports whether leadsync can use a schema of that name.
func ValidSchema(name string) bool { return schemaName.MatchString(name) }

// Table returns a table's name in a schema, as it stands in a statement.
func Table(schema, table string) string { return inSchema("dbo."+table, schema) }

var (
	inDBO   = regexp.MustCompile(`\bdbo\.`)
	namedDB = regexp.MustCompile(`N'dbo'`)
)

// inSchema replaces the schema, also within names that are strings, such as OBJECT_ID(N'dbo.t').
func inSchema(text, schema string) string {
	if schema == "dbo" {
		return text
	}
	text = inDBO.ReplaceAllString(text, "["+schema+"].") // quoted, because it may be a word of T-SQL
	return namedDB.ReplaceAllString(text, "N'"+schema+"'")
}

// schemaFS has files with another schema.
type schemaFS struct {
	fs.FS

	schema string
}

// Open implements fs.FS.
func (s schemaFS) Open(name string) (fs.File, error) {
	file, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		return file, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	return schemaFile{file, bytes.NewReader([]byte(inSchema(string(text), s.schema)))}, nil
}

// schemaFile is a file with another content; nobody asks for its size.
type schemaFile struct {
	fs.File

	content io.Reader
}

// Read implements fs.File.
func (f schemaFile) Read(p []byte) (int, error) { return f.content.Read(p) }
