// Package journal remembers for some days what happened to each lead: callbacks, reads, rows,
// announcements, findings, failures, and the portals' outages. It keeps ids, times and names of
// fields, never a value of a lead, in files that it only appends to. Assemble makes a timeline of
// them and of what the database knows. The package must not know who adds entries, nor the database.
package journal
