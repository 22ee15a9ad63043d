package leads_test

import (
	"encoding/json"
	"os"
	"testing"

	"leadsync/leads"
)

// card is one as a portal sends it, with fields of its own.
func sampleCard(tb testing.TB) json.RawMessage {
	tb.Helper()
	raw, err := os.ReadFile("testdata/card.json")
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// What a card costs from the answer to its row: it is read once and hashed once.
func BenchmarkCard(b *testing.B) {
	raw := sampleCard(b)
	lead, err := leads.Parse(raw)
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, do func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
	run("parse", func() { _, _ = leads.Parse(raw) })
	run("hash", func() { lead.Hash() })
	run("numbers", func() { lead.Phones("RU") })
	run("custom fields", func() { lead.FieldValues() })
}
