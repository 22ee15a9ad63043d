package broker

import "github.com/nats-io/nats-server/v2/server"

// Store is how the server keeps what it stores.
func (b *Broker) Store() server.JetStreamConfig { return *b.current().JetStreamConfig() }

// Restart restarts the server, as after a full disk.
func (b *Broker) Restart() error { return b.restart() }
