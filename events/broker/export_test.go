package broker

import "github.com/nats-io/nats-server/v2/server"

// Store is how the server keeps what it stores.
func (b *Broker) Store() server.JetStreamConfig { return *b.server.JetStreamConfig() }

// Reopen opens the store anew, as after a full disk.
func (b *Broker) Reopen() error { return b.store.reopen() }
