package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"math/bits"
	"slices"

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
// size that the portal can take, until each has an outcome. A batch that gets no answer that
// can be used is halved, down to the command that is the reason.
type commandRun struct {
	client *Client
	size   *batchSizer
	draw   Draw

	done     map[string]outcome
	tries    map[string]int
	failures int // batches without a result, while no command has been answered yet
	blocked  int // batches in which a method was blocked
	useless  int // batches without an answer that can be used
	smallest int // of them; 0 if there was none
	culprits int // commands that were the reason
}

// run returns one outcome for each command, by key. Its error is about the portal as a
// whole, not about one command.
func (l Leads) run(ctx context.Context, commands []Command, size *batchSizer, draw Draw) (map[string]outcome, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	r := &commandRun{client: l.client, size: size, draw: draw, done: map[string]outcome{}, tries: map[string]int{}}
	for queue := [][]Command{commands}; len(queue) > 0; {
		head := queue[0]
		queue = queue[1:]
		if count := r.count(head); count < len(head) {
			queue = slices.Insert(queue, 0, head[count:])
			head = head[:count]
		}
		again, err := r.batch(ctx, head)
		if err != nil {
			return nil, err
		}
		if r.useless > r.limit(len(commands)) {
			return nil, garbled("batch", 200, "the portal answers too many requests in a way that cannot be used")
		}
		queue = slices.Insert(queue, 0, again...)
	}
	if r.smallest > 0 && r.culprits == 0 {
		r.size.cut(r.smallest)
	}
	return r.done, nil
}

// count is how many of the commands the next batch has.
func (r *commandRun) count(commands []Command) int {
	count := min(r.size.next(), len(commands))
	for _, method := range methodsOf(commands[:count]) {
		count = r.client.shared.meters.affordable(method, r.client.lane, count)
	}
	return count
}

// limit is how many batches may be useless: what halving needs for each culprit, and once
// more.
func (r *commandRun) limit(commands int) int {
	return (r.culprits + 1) * (3*bits.Len(uint(commands)) + 10)
}

// batch runs one batch and returns the batches that must run again.
func (r *commandRun) batch(ctx context.Context, commands []Command) ([][]Command, error) {
	ticket := r.draw()
	batch, err := r.client.batch(ctx, commands, manner{})
	switch {
	case err == nil:
		r.size.took(len(commands), batch.Time.Duration)
		return r.settle(ctx, commands, batch, ticket)
	case !useless(err) || ctx.Err() != nil:
		return nil, err
	case len(commands) == 1:
		return r.suspect(ctx, commands, err)
	}
	tooMany := tooManyCommands(err)
	if tooMany || tooLong(err) {
		r.size.cut(len(commands))
	}
	if !tooMany { // those are no fault: the portal says what it wants
		r.useless++
		r.smallest = len(commands)
	}
	half := len(commands) / 2
	return [][]Command{commands[:half], commands[half:]}, nil
}

// tooManyCommands reports whether the portal takes no batch of that size.
func tooManyCommands(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == codeLength
}

// A command that alone gets no answer that can be used is asked again: suspectTries times
// with the same complaint make it the culprit, if a harmless command is answered meanwhile.
// Where each takes a minute, slowTries are enough. Random faults differ, so after
// suspectLimit tries the portal is failing.
const (
	suspectTries = 3
	slowTries    = 2
	suspectLimit = 6
)

// suspect finds out whether a single command is the reason why it got no answer.
func (r *commandRun) suspect(ctx context.Context, commands []Command, err error) ([][]Command, error) {
	if err := r.client.cfg.Wait(ctx, repeatPolicy.Delay(1)); err != nil {
		return nil, err
	}
	for tries, same := 1, 1; tries < suspectLimit; tries++ {
		enough := suspectTries
		if tooLong(err) {
			enough = slowTries
		}
		if same == enough-1 {
			if refusal, failure := r.client.refusals().ask(ctx, commands[0].Method); failure != nil || refusal != nil {
				return nil, err // the portal itself
			}
		}
		r.useless++
		ticket := r.draw()
		batch, again := r.client.batch(ctx, commands, manner{})
		switch {
		case again == nil:
			return r.settle(ctx, commands, batch, ticket)
		case !useless(again) || ctx.Err() != nil:
			return nil, again
		case again.Error() == err.Error():
			same++
		default:
			same = 1
		}
		if err = again; same >= enough {
			r.accuse(commands[0], err, ticket)
			return nil, nil
		}
	}
	return nil, err
}

// accuse makes a command the reason why its batches got no answer that can be used.
func (r *commandRun) accuse(cmd Command, err error, ticket leads.Ticket) {
	r.culprits++
	r.size.acquit()
	r.done[cmd.Key] = outcome{ticket: ticket, refusal: &Error{
		Method: cmd.Method, Reaction: Repeat, Description: "other commands are answered, but the answer to this one cannot be used: " + err.Error(),
	}}
}

// settle records the outcomes of a batch and returns what must run again.
func (r *commandRun) settle(ctx context.Context, commands []Command, batch Batch, ticket leads.Ticket) ([][]Command, error) {
	refusal := batch.alike(commands)
	if refusal != nil {
		if err := r.client.refusals().confirm(ctx, refusal); err != nil {
			return nil, err
		}
	}
	if taken := batch.taken(commands); taken > 0 && taken < len(commands) {
		r.size.cut(2 * taken) // half of that is what the portal takes
	}
	again := r.sort(commands, batch, ticket, refusal == nil)
	if len(again) == 0 {
		return nil, nil
	}
	if len(again) < len(commands) {
		r.blocked, r.failures = 0, 0 // it goes on
	}
	again, err := r.retryable(ctx, again, len(commands)-len(again), batch.Errors, ticket)
	if err != nil || len(again) == 0 {
		return nil, err
	}
	return [][]Command{again}, nil
}

// taken is how many of these commands the portal did not find too many.
func (b Batch) taken(commands []Command) (count int) {
	for _, cmd := range commands {
		if e := b.Errors[cmd.Key]; e == nil || e.Code != codeLength {
			count++
		}
	}
	return count
}

// sort records the outcomes of a batch and returns the commands that failed for a reason
// that may pass. A refusal of the token may if the outcomes are mixed: when the rest is sent
// alone, other tokens are tried. If all were refused alike, they have been tried.
func (r *commandRun) sort(commands []Command, batch Batch, ticket leads.Ticket, mixed bool) (again []Command) {
	other := mixed && r.client.cfg.Tokens != nil
	for _, cmd := range commands {
		e := batch.Errors[cmd.Key]
		switch {
		case e == nil:
			r.done[cmd.Key] = outcome{result: batch.Results[cmd.Key], ticket: ticket}
		case e.Reaction == SlowDown, e.Code == codeLength && mixed:
			again = append(again, cmd)
		case e.Reaction == Repeat, e.Reaction == Refresh && mixed, e.Reaction == Reauthorize && other:
			r.tries[cmd.Key]++
			again = append(again, cmd)
		default:
			r.done[cmd.Key] = outcome{refusal: e, ticket: ticket}
		}
	}
	return again
}

// retryable returns the failed commands that are worth another try. A blocked method is
// waited for. If others of the batch were answered, a command that keeps failing gets its
// error as its outcome; if none was, a harmless command shows whether the portal is failing
// as a whole. answered is how many were.
func (r *commandRun) retryable(ctx context.Context, failed []Command, answered int, errs map[string]*Error, ticket leads.Ticket) ([]Command, error) {
	first := errs[failed[0].Key]
	if first.Reaction == SlowDown {
		if r.blocked++; r.blocked > blockedLimit {
			return nil, first
		}
		if r.client.cfg.Budget == nil && first.Code == codeCrowded {
			return failed, r.client.cfg.Wait(ctx, repeatPolicy.Delay(r.blocked))
		}
		return failed, nil // the next batch waits
	}
	if answered == 0 {
		r.failures++
		if len(r.done) == 0 && r.failures <= repeats {
			return failed, r.client.cfg.Wait(ctx, repeatPolicy.Delay(r.failures))
		}
	}
	spent := func(cmd Command) bool { return r.tries[cmd.Key] > commandRepeats }
	if answered == 0 && slices.ContainsFunc(failed, spent) {
		if refusal, err := r.client.refusals().ask(ctx, first.Method); err != nil || refusal != nil {
			return nil, first
		}
	}
	var again []Command
	for _, cmd := range failed {
		if spent(cmd) {
			r.done[cmd.Key] = outcome{refusal: errs[cmd.Key], ticket: ticket}
			continue
		}
		again = append(again, cmd)
	}
	if len(again) == 0 {
		return nil, nil
	}
	return again, r.client.cfg.Wait(ctx, repeatPolicy.Delay(r.tries[again[0].Key]))
}
