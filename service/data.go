package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"leadsync/doctor"
	"leadsync/guide"
	"leadsync/leads"
	"leadsync/retry"
)

// errDataInUse says that another process owns the data directory.
var errDataInUse = guide.At(guide.DataDirectory, errors.New("another leadsync process uses the data directory"))

// errNATSStarts says that the service beside this command has no NATS yet.
var errNATSStarts error = doctor.SentenceError("the leadsync service beside this command is starting and its NATS server is not ready; /readyz and the log say what it waits for")

// dataDir is a data directory that this process owns alone: two embedded NATS servers
// on one store destroy it.
type dataDir struct {
	path string
	lock *flock.Flock
}

// openData makes the directory and locks it, or returns errDataInUse.
func openData(ctx context.Context, path string) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, guide.At(guide.DataDirectory, fmt.Errorf("make the data directory: %w", err))
	}
	lock := flock.New(lockFile(path), flock.SetPermissions(0o600))
	ok, err := tryLock(lock, func() { _ = retry.Wait(ctx, lockPause) })
	if err != nil {
		return nil, fmt.Errorf("lock the data directory %s: %w", absolute(path), err)
	}
	if !ok {
		return nil, fmt.Errorf("%w %s", errDataInUse, absolute(path))
	}
	// What is announced there is of a service that was killed.
	if err := ignoreMissing(os.Remove(runFile(path))); err != nil {
		return nil, errors.Join(fmt.Errorf("remove what an earlier service has announced: %w", err), lock.Close())
	}
	return &dataDir{path: path, lock: lock}, nil
}

// Who looks whether the directory is in use holds its lock for an instant, so one try is not enough.
const (
	lockTries = 4
	lockPause = 5 * time.Millisecond
)

func tryLock(lock *flock.Flock, pause func()) (ok bool, err error) {
	for try := range lockTries {
		if try > 0 {
			pause()
		}
		if ok, err = lock.TryLock(); ok || err != nil {
			break
		}
	}
	return ok, err
}

func lockFile(dir string) string { return filepath.Join(dir, "lock") }

// dataInUse tells whether a process owns the data directory. It is also true where that cannot be
// found out.
func dataInUse(dir string) bool {
	if _, err := os.Stat(lockFile(dir)); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	lock := flock.New(lockFile(dir), flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	_ = lock.Close() // nothing was written
	return err != nil || !free
}

// Close gives the directory back.
func (d *dataDir) Close() error {
	return errors.Join(ignoreMissing(os.Remove(runFile(d.path))), d.lock.Close())
}

func (d *dataDir) file(name string) string { return filepath.Join(d.path, name) }

// running is what a command needs to know of the service beside it; run.json.
type running struct {
	NATSURL         string `json:"nats_url"`         // "" until it is ready
	NATSToken       string `json:"nats_token"`       // every right: the file is readable by its owner only
	SubscriberToken string `json:"subscriber_token"` // of the first subscriber: reads the topic
	HTTP            string `json:"http"`
	Admin           string `json:"admin"` // "" without an operators' face
	PID             int    `json:"pid"`
}

func runFile(dir string) string { return filepath.Join(dir, "run.json") }

// announce writes run.json.
func (d *dataDir) announce(url string, service, subscriber leads.Secret, http, admin string) error {
	data, err := json.Marshal(running{
		NATSURL: url, NATSToken: service.Reveal(), SubscriberToken: subscriber.Reveal(), HTTP: http, Admin: admin, PID: os.Getpid(),
	})
	if err != nil {
		return fmt.Errorf("write run.json: %w", err)
	}
	if err := os.WriteFile(runFile(d.path), data, 0o600); err != nil {
		return fmt.Errorf("write run.json: %w", err)
	}
	return nil
}

// readRunning reads what the service that owns the directory has announced. One that was killed leaves
// its file behind, and its ports may be somebody else's.
func readRunning(dir string) (running, error) {
	var r running
	data, err := os.ReadFile(runFile(dir))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !dataInUse(dir):
		return r, fmt.Errorf("no leadsync service is running on the data directory %s (another leadsync command may be using it): start `leadsync serve`, or wait for that command", absolute(dir))
	case err != nil:
		return r, fmt.Errorf("read what the running service has announced: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s is damaged: restart the service", runFile(dir))
	}
	return r, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// MakeDataDir makes the directory without owning it, for commands that only need the
// database in it.
func MakeDataDir(cfg Config) error {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	return nil
}

// RunningAddress is the public HTTP address of the service that runs on the data directory.
func RunningAddress(cfg Config) (string, error) {
	r, err := readRunning(cfg.DataDir)
	return r.HTTP, err
}

// RunningAdminAddress is where the operators' face of that service listens; "" where it has
// none.
func RunningAdminAddress(cfg Config) (string, error) {
	r, err := readRunning(cfg.DataDir)
	return r.Admin, err
}
