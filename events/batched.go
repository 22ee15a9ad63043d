package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// publishBatch publishes messages of one stream as one batch, which the server takes as a whole or
// not at all (NATS ADR-50) and syncs once. It returns when the server has all of them on disk, with
// the sequence of the last; nothing stands between them. If one is lost on the way, the server
// notices the gap. errRefused says that it took none, or knows no batches: such a server takes the
// messages one by one and answers for the last.
func (b *Bus) publishBatch(ctx context.Context, batch []*nats.Msg) (last uint64, err error) {
	ack, err := jetstreamext.PublishMsgBatch(ctx, b.js, batch, jetstreamext.BatchFlowControl{})
	if err == nil {
		return ack.Sequence, nil
	}
	var api *jetstream.APIError
	if errors.As(err, &api) || errors.Is(err, jetstreamext.ErrInvalidBatchAck) || errors.Is(err, jetstream.ErrInvalidJSAck) {
		err = fmt.Errorf("%w: %w", errRefused, err)
	}
	return 0, err
}
