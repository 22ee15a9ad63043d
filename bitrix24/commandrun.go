package bitrix24

import (
	"context"
	"encoding/json"

	"leadsync/leads"
)

// commandRepeats is how often a command is sent again that failed while others of the same
// batches succeeded: then the command is the problem, not the portal.
const commandRepeats = 2

// outcome is the result of one command.
type outcome struct {
	result  json.RawMessage
	refusal *Error
	ticket  leads.Ticket // of the batch that returned it
}

// commandRun runs any number of commands that do not depend on each other, in batches of a
// size that the portal can take, until each has an outcome.
type commandRun struct {
	client *Client
	size   *batchSizer
	draw   Draw

	done     map[string]outcome
	tries    map[string]int
	failures int // batches without a result, while no command has been answered yet
	blocked  int // batches in which a method was blocked
}

// run returns one outcome for each command, by key. Its error is about the portal as a
// whole, not about one command.
func (l Leads) run(ctx context.Context, commands []Command, size *batchSizer, draw Draw) (map[string]outcome, error) {
	r := &commandRun{client: l.client, size: size, draw: draw, done: map[string]outcome{}, tries: map[string]int{}}
	for len(commands) > 0 {
		count := min(size.next(), len(commands))
		for _, method := range methodsOf(commands[:count]) {
			count = l.client.shared.meters.affordable(method, l.client.lane, count)
		}
		again, err := r.batch(ctx, commands[:count])
		if err != nil {
			return nil, err
		}
		commands = append(again, commands[count:]...)
	}
	return r.done, nil
}

// batch runs one batch and returns the commands that must run again.
func (r *commandRun) batch(ctx context.Context, commands []Command) ([]Command, error) {
	ticket := r.draw()
	batch, err := r.client.Batch(ctx, commands)
	if tooLong(err) && ctx.Err() == nil && len(commands) > 1 {
		r.size.cut(len(commands))
		return commands, nil
	}
	if err != nil {
		return nil, err
	}
	r.size.took(len(commands), batch.Time.Duration)
	again, err := r.sort(commands, batch, ticket)
	if err != nil || len(again) == 0 {
		return again, err
	}
	return r.retryable(ctx, again, batch.Errors, ticket)
}

// sort records the outcomes of a batch and returns the commands that failed for a reason
// that may pass.
func (r *commandRun) sort(commands []Command, batch Batch, ticket leads.Ticket) (again []Command, err error) {
	for _, cmd := range commands {
		e := batch.Errors[cmd.Key]
		switch {
		case e == nil:
			r.done[cmd.Key] = outcome{result: batch.Results[cmd.Key], ticket: ticket}
		case e.Reaction == Reauthorize || e.Reaction == Stop:
			return nil, e
		case e.Reaction == SlowDown:
			again = append(again, cmd)
		case e.Reaction == Repeat || e.Reaction == Refresh:
			r.tries[cmd.Key]++
			again = append(again, cmd)
		default:
			r.done[cmd.Key] = outcome{refusal: e, ticket: ticket}
		}
	}
	return again, nil
}

// retryable returns the failed commands that are worth another try. A blocked method is
// waited for. If other commands were answered, a command that keeps failing gets its error
// as its outcome; if none was, the portal is failing as a whole.
func (r *commandRun) retryable(ctx context.Context, failed []Command, errs map[string]*Error, ticket leads.Ticket) ([]Command, error) {
	first := errs[failed[0].Key]
	if first.Reaction == SlowDown {
		if r.blocked++; r.blocked > blockedLimit {
			return nil, first
		}
		return failed, nil // the next batch waits
	}
	if len(r.done) == 0 {
		if r.failures++; r.failures > repeats {
			return nil, first
		}
		return failed, r.client.cfg.Wait(ctx, repeatPolicy.Delay(r.failures))
	}
	var again []Command
	for _, cmd := range failed {
		if r.tries[cmd.Key] > commandRepeats {
			r.done[cmd.Key] = outcome{refusal: errs[cmd.Key], ticket: ticket}
			continue
		}
		again = append(again, cmd)
	}
	return again, nil
}
