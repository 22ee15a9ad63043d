package doctor_test

import (
	"errors"
	"strings"
	"testing"

	"leadsync/doctor"
	"leadsync/repo"
)

// A level is painted with the blanks behind it, so that columns stay where they are.
func TestLevelsArePainted(t *testing.T) {
	var plain, painted strings.Builder
	found := []doctor.Finding{{Check: "disk", Level: doctor.OK, Found: "room"}, {Check: "nats", Level: doctor.Fault, Found: "down"}}
	if err := doctor.Write(&plain, found, doctor.Style{}); err != nil {
		t.Fatal(err)
	}
	if err := doctor.Write(&painted, found, doctor.Style{Paint: func(level doctor.Level, words string) string { return "<" + string(level) + ">" + words + "</>" }}); err != nil {
		t.Fatal(err)
	}
	if want := "<ok>ok     </>  disk            room\n<fault>fault  </>  nats            down\n"; painted.String() != want {
		t.Errorf("painted %q, want %q", painted.String(), want)
	}
	if want := "ok       disk            room\nfault    nats            down\n"; plain.String() != want {
		t.Errorf("plain %q, want %q", plain.String(), want)
	}
}

// What the server itself said stands behind what failed and what to do, in one line.
func TestTheServersWordsAreSetApart(t *testing.T) {
	login := errors.New("ping: database unavailable: mssql: Cannot open database «d» (4060)\nmssql: Login failed (18456)")
	denied := repo.Condition{Check: "room", Severity: repo.Tells, Found: "not checked: mssql: VIEW SERVER STATE permission was denied"}
	for name, test := range map[string]struct {
		check doctor.Check
		want  string
	}{
		"refused": {doctor.CheckDatabase(database{down: login}), `fault    database        the database does not answer as it should
                           so: callbacks are kept, and nothing else works
                           -> start the server; check LEADSYNC_DATABASE_URL and the network
                           the error says: Cannot open database «d» (4060) · Login failed (18456)
`},
		"not allowed to ask": {doctor.CheckDatabase(database{conditions: []repo.Condition{denied}}), `unknown  database        room: not checked: the server refused a question
                           -> where the login may not ask this, let the server's administrator grant it or look himself; a server that does not know the question needs nothing
                           the error says: VIEW SERVER STATE permission was denied
`},
		"nobody answers": {doctor.CheckDatabase(database{down: errors.New("no route")}), "the error says: no route\n"},
	} {
		var text strings.Builder
		if err := doctor.Write(&text, doctor.Run(t.Context(), []doctor.Check{test.check}), doctor.Style{}); err != nil || !strings.Contains(text.String(), test.want) {
			t.Errorf("%s: %v, want %s in:\n%s", name, err, test.want, text.String())
		}
	}
}
