package bitrix24

import (
	"context"
	"encoding/json"

	"leadsync/leads"
)

// commandRepeats is how often a command is sent again that failed while others of the
// same batches succeeded: then it is not the portal that is ill.
const commandRepeats = 2

// outcome is what became of one command.
type outcome struct {
	result  json.RawMessage
	refusal *Error
	ticket  leads.Ticket // of the batch that brought it
}

// commandRun brings any number of commands that do not depend on each other to their
// end: in batches of a size that the portal bears, each command on its own.
type commandRun struct {
	client *Client
	size   *sizer
	draw   Draw

	done     map[string]outcome
	tries    map[string]int
	failures int // batches in a row that brought nothing
}

// runAll returns one outcome for each command, by key. Its error is the portal's as a
// whole.
func (c *Client) runAll(ctx context.Context, commands []Command, size *sizer, draw Draw) (map[string]outcome, error) {
	r := &commandRun{client: c, size: size, draw: draw, done: map[string]outcome{}, tries: map[string]int{}}
	for len(commands) > 0 {
		count := min(size.next(), len(commands))
		for _, method := range methodsOf(commands[:count]) {
			count = c.affordable(method, count)
		}
		again, err := r.batch(ctx, commands[:count])
		if err != nil {
			return nil, err
		}
		commands = append(again, commands[count:]...)
	}
	return r.done, nil
}

// batch runs one batch and returns the commands that are to be run again.
func (r *commandRun) batch(ctx context.Context, commands []Command) ([]Command, error) {
	ticket := r.draw()
	batch, err := r.client.Batch(ctx, commands)
	if tooLong(err) && ctx.Err() == nil && (len(commands) > 1 || r.failures < repeats) {
		r.size.cut(len(commands))
		if len(commands) > 1 {
			return commands, nil
		}
		r.failures++
		return commands, pause(ctx, backoff(r.failures-1))
	}
	if err != nil {
		return nil, err
	}
	r.size.took(len(commands), batch.Time.Duration)
	var again []Command
	var last *Error
	for _, cmd := range commands {
		e := batch.Errors[cmd.Key]
		switch {
		case e == nil:
			r.done[cmd.Key] = outcome{result: batch.Results[cmd.Key], ticket: ticket}
		case e.Reaction == Reauthorize || e.Reaction == Stop:
			return nil, e
		case e.Reaction == SlowDown:
			again, last = append(again, cmd), e
		case e.Reaction == Repeat || e.Reaction == Refresh:
			r.tries[cmd.Key]++
			again, last = append(again, cmd), e
		default:
			r.done[cmd.Key] = outcome{refusal: e, ticket: ticket}
		}
	}
	if len(again) == 0 {
		r.failures = 0
		return nil, nil
	}
	return r.judge(ctx, again, batch.Errors, last, ticket)
}

// judge decides about commands that failed for no fault of their own, as it seems. Where
// others were answered, a command that fails again and again is given up; where none
// was, the portal is ill.
func (r *commandRun) judge(ctx context.Context, failed []Command, errs map[string]*Error, last *Error, ticket leads.Ticket) ([]Command, error) {
	if len(r.done) == 0 {
		if r.failures++; r.failures > repeats {
			return nil, last
		}
		return failed, pause(ctx, backoff(r.failures-1))
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
