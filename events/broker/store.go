package broker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// mendEvery is how often the store is looked at.
	mendEvery = time.Second
	// mendRoom is how much the disk must take for the store to be opened again, in bytes.
	mendRoom = 1 << 20
)

// store is JetStream's. A server that could not write once, because the disk was full,
// refuses everything from then on, silently, until it opens its store anew.
type store struct {
	server *server.Server
	cfg    Config
}

// Ill says what is wrong with the store; "" where it is well.
func (b *Broker) Ill() string { return b.server.Healthz(nil).Error }

// watch opens the store anew when it is ill and the disk has room again.
func (s store) watch(stop <-chan struct{}) {
	tick := time.NewTicker(mendEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		ill := s.server.Healthz(nil).Error
		if ill == "" || s.room() != nil {
			continue
		}
		if err := s.reopen(); err != nil {
			s.cfg.Logger.Error("the NATS store cannot be opened again", "ill", ill, "error", err)
			continue
		}
		s.cfg.Logger.Warn("the NATS store was opened again", "ill", ill)
	}
}

func (s store) reopen() error {
	if err := s.server.ShutdownJetStream(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return s.server.EnableJetStream(&server.JetStreamConfig{StoreDir: s.cfg.Dir, MaxStore: storeMax})
}

// room asks the disk whether it takes something.
func (s store) room() error {
	path := filepath.Join(s.cfg.Dir, "room")
	return errors.Join(os.WriteFile(path, make([]byte, mendRoom), 0o600), os.Remove(path))
}
