// Package leads is the domain: what a lead is, what one read of a portal says about
// it, which of two reads is newer, what has changed between them, and the records
// that the parts of the service share. It knows no I/O: no SQL, no HTTP, no NATS.
package leads
