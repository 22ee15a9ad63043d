package setup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/setup"
)

// What was tried and not kept leaves the former database in force, in whatever form the file has it.
func TestADatabaseThatIsNotKeptChangesNothing(t *testing.T) {
	dir := t.TempDir()
	file, address := filepath.Join(dir, "leadsync.env"), filepath.Join(dir, "address")
	for name, text := range map[string]string{file: "LEADSYNC_DATABASE_URL_FILE=" + address + "\n", address: "sqlserver://sa:p@h:1433?database=d\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &person{t: t, answers: [][2]string{{"the database of the former file", "sqlite"}, {"Keep this answer", "n"}, {"the database of the former file", ""}, {"Address", ""}, {"The portal's address", ""}}}
	_, out, err := set(t, setup.Config{Output: file, Force: true, Person: p, Given: setup.Answers{DataDir: filepath.Join(dir, "down")}})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "LEADSYNC_DATABASE_URL_FILE="+address+"\n") {
		t.Errorf("%v\n%s", err, text)
	}
}

// --set has said where the database's address is: a person is asked only where it does not work.
func TestADatabaseBySetIsNotAskedFor(t *testing.T) {
	for text, answers := range map[string][][2]string{
		"sqlserver://sa:p@new:1433?database=d\n":    nil,
		"sqlserver://sa:p@selfsigned/?database=d\n": {{"Keep this answer", "n"}, {"the database of the former file", ""}}, // its file is not ours to change
		"sqlserver://sa:p@down:1433?database=d\n":   {{"Keep this answer", "n"}, {"the database of the former file", ""}},
	} {
		file, _ := used(t)
		address := filepath.Join(t.TempDir(), "address")
		if err := os.WriteFile(address, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := &person{t: t, answers: append(answers, [2]string{"Address", ""}, [2]string{"The portal's address", ""})}
		value, out, err := set(t, setup.Config{Output: file, Force: true, Person: p, Given: setup.Answers{Others: map[string]string{"LEADSYNC_DATABASE_URL_FILE": address}}})
		if err != nil || len(p.answers) > 0 {
			t.Fatalf("%v, left %v\n%s", err, p.answers, out)
		}
		database := "sqlserver://sa:p@new:1433?database=d"
		if answers != nil {
			database = "sqlserver://sa:p@h:1433?database=d&encrypt=disable"
		}
		want(t, value, map[string]string{"LEADSYNC_DATABASE_URL": database})
	}
}
