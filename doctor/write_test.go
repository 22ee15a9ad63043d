package doctor_test

import (
	"strings"
	"testing"

	"leadsync/doctor"
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
