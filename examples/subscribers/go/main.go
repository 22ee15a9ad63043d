// Command go keeps a file for each lead (docs/subscribing.md). Settings: NATS_URL, NATS_USER and NATS_PASSWORD (name and token), STATE (a directory).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	nc, err := nats.Connect(os.Getenv("NATS_URL"), nats.UserInfo(os.Getenv("NATS_USER"), os.Getenv("NATS_PASSWORD")),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), // NATS may be down, now or later
		nats.ClosedHandler(func(nc *nats.Conn) { log.Fatal("NATS refuses this subscriber: ", nc.LastError()) }))
	for ; err == nil; time.Sleep(time.Second) {
		log.Print("trying again: ", follow(context.Background(), nc))
	}
	log.Fatal(err)
}

// follow returns on errors: NATS is down, the consumer was deleted. A new consumer starts with the state of every lead, an old one where it stopped.
func follow(ctx context.Context, nc *nats.Conn) error {
	js, _ := jetstream.New(nc) // only options could be wrong
	consumer, err := js.CreateOrUpdateConsumer(ctx, "LEADS", jetstream.ConsumerConfig{Durable: os.Getenv("NATS_USER"), AckPolicy: jetstream.AckExplicitPolicy})
	for err == nil {
		var batch jetstream.MessageBatch
		if batch, err = consumer.Fetch(100); err == nil { // up to 100, for up to 30 seconds
			for msg := range batch.Messages() {
				err = errors.Join(err, store(msg)) // what is not acknowledged comes again
			}
			err = errors.Join(err, batch.Error())
		}
	}
	return err
}

// store keeps a message unless it is old. A deletion has no card: keeping it removes names and phone numbers.
func store(msg jetstream.Msg) error {
	var change, kept struct{ Revision int64 }
	file := filepath.Join(os.Getenv("STATE"), msg.Subject())
	old, _ := os.ReadFile(file)
	_ = json.Unmarshal(old, &kept) // missing, or damaged: 0
	err := json.Unmarshal(msg.Data(), &change)
	if err == nil && change.Revision > kept.Revision {
		log.Printf("lead %s, revision %d, %s", msg.Subject(), change.Revision, msg.Headers().Get("ce-type"))
		if err = os.WriteFile(file+".new", msg.Data(), 0o600); err == nil {
			err = os.Rename(file+".new", file) // whole or not at all
		}
	}
	if err == nil {
		err = msg.Ack()
	}
	return err
}
