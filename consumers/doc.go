// Package consumers does the work: it turns a portal's notices into batched reads, reads
// into rows of the mirror, and rows of the outbox into messages on the topic. It must not know how a portal is called, how a pass compares, or which
// database the mirror is in.
package consumers
