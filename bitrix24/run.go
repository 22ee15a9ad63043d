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
	failures int // batches that brought nothing, while no command has been answered yet
	rests    int // batches in which a method was blocked
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
	return r.judge(ctx, again, batch.Errors, ticket)
}

// sort keeps what the commands of a batch came to and returns those that failed for no
// fault of their own, as it seems.
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

// judge decides about commands that are to be sent again. A blocked method is waited
// for. Where others were answered, a command that fails again and again is given up;
// where none was, the portal is ill.
func (r *commandRun) judge(ctx context.Context, failed []Command, errs map[string]*Error, ticket leads.Ticket) ([]Command, error) {
	first := errs[failed[0].Key]
	if first.Reaction == SlowDown {
		if r.rests++; r.rests > restLimit {
			return nil, first
		}
		return failed, nil // the next batch waits
	}
	if len(r.done) == 0 {
		if r.failures++; r.failures > repeats {
			return nil, first
		}
		return failed, r.client.cfg.Wait(ctx, backoff(r.failures-1))
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
