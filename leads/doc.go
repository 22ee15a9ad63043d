// Package leads is the domain: what a lead is, what one read of a portal says about it,
// which of two reads is newer, what changed between them, and the records that the other
// packages share. It does no I/O: no SQL, no HTTP, no NATS.
package leads
