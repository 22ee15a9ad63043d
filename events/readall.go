package events

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/retry"
)

// pageSize is how many messages readAll asks for together. For each page an ordered consumer is made anew on the server,
// which takes the longer the more messages the stream has.
const pageSize = 1000

// pagePause is how long the server gets where it had nothing to send yet.
const pagePause = 10 * time.Millisecond

// readAll calls back for all messages of a filter that a stream has now, page by page. Those that go meanwhile are not waited
// for.
func readAll(ctx context.Context, stream jetstream.Stream, filter string, each func([]jetstream.Msg) error) error {
	consumer, err := answered(ctx, func(ctx context.Context) (jetstream.Consumer, error) {
		return stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}})
	})
	if err != nil {
		return err
	}
	defer func() {
		gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = stream.DeleteConsumer(gone, consumer.CachedInfo().Name) // else the server forgets it by itself
	}()
	for left := consumer.CachedInfo().NumPending; left > 0; {
		page, err := readPage(ctx, consumer, left)
		if err != nil {
			return err
		}
		if len(page) == 0 { // they have gone meanwhile, or the server was not quick enough
			if left, err = pendingSoon(ctx, consumer); err != nil {
				return err
			}
			continue
		}
		meta, err := page[len(page)-1].Metadata()
		if err != nil {
			return err
		}
		left = meta.NumPending
		if err := each(page); err != nil {
			return err
		}
	}
	return nil
}

// readPage asks again while nobody answers: for each page a consumer is made, of which the other servers of a cluster hear a
// little later. Nothing has come by then.
func readPage(ctx context.Context, consumer jetstream.Consumer, left uint64) ([]jetstream.Msg, error) {
	return answered(ctx, func(ctx context.Context) ([]jetstream.Msg, error) {
		batch, err := consumer.FetchNoWait(int(min(left, pageSize)))
		if err != nil {
			return nil, err
		}
		var page []jetstream.Msg
		for msg := range batch.Messages() {
			page = append(page, msg)
		}
		return page, errors.Join(batch.Error(), ctx.Err())
	})
}

// pendingSoon is how many messages wait after a pause.
func pendingSoon(ctx context.Context, consumer jetstream.Consumer) (uint64, error) {
	info, err := consumer.Info(ctx)
	if err == nil {
		err = retry.Wait(ctx, pagePause)
	}
	if err != nil {
		return 0, err
	}
	return info.NumPending, nil
}
