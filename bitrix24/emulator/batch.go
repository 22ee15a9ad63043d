package emulator

import (
	"errors"
	"strings"

	"leadsync/bitrix24"
)

// maxCommands is how many commands of a batch are run (docs/bitrix24.md 5).
const maxCommands = 50

// batch runs commands one after the other. It always succeeds; the five parts of its result
// contain what each command returned.
func batch(c *call) (answer, error) {
	commands := c.param("cmd")
	if commands == nil || len(commands.Children) == 0 {
		return answer{}, errArgument("Argument 'cmd' is null or empty")
	}
	halt := c.text("halt")
	stop := halt != "" && halt != "0" && !strings.EqualFold(halt, "false")
	b := &batchResult{}
	limit := c.limitBatch()
	var used timing
	for i, cmd := range commands.Children {
		if i >= maxCommands {
			b.fail(cmd.Name, errBatchLength)
			continue
		}
		a, t, err := c.command(cmd.Value, b, limit)
		if err != nil {
			b.fail(cmd.Name, err)
			if stop {
				break
			}
			continue
		}
		b.succeed(cmd.Name, a, t)
		used = t
	}
	c.clock.batch = used
	return answer{result: b.show(c)}, nil
}

// command replaces the references of one command by earlier results, and runs it as a call
// by the same caller. limit is a fault that refuses it.
func (c *call) command(cmd string, earlier *batchResult, limit *refusal) (answer, timing, error) {
	name, query, _ := strings.Cut(cmd, "?")
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "/ "), ".json"))
	c.stats.command(name)
	if limit != nil {
		c.stats.refuse(limit.code)
		return answer{}, timing{}, limit
	}
	args, err := bitrix24.ParseForm(query)
	if err != nil {
		return answer{}, timing{}, errArgument(err.Error())
	}
	earlier.substitute(args)
	if err := c.failCommand(); err != nil {
		return answer{}, timing{}, err
	}
	one := &call{Portal: c.Portal, caller: c.caller, method: name, args: args, nested: true, now: c.now, clock: c.clock}
	return one.invoke()
}

// batchResult collects the five parts of a batch's result (docs/bitrix24.md 5.2).
type batchResult struct {
	results, errors, totals, nexts, times array
}

func (b *batchResult) succeed(key string, a answer, t timing) {
	b.results = append(b.results, pair{key, a.result})
	if a.total != nil {
		b.totals = append(b.totals, pair{key, *a.total})
	}
	if a.next != nil {
		b.nexts = append(b.nexts, pair{key, *a.next})
	}
	b.times = append(b.times, pair{key, t})
}

func (b *batchResult) fail(key string, err error) {
	no := errInternal
	errors.As(err, &no)
	b.errors = append(b.errors, pair{key, no.show()})
}

func (b *batchResult) show(c *call) object {
	for i := range b.results {
		b.results[i].val = c.oddly(b.results[i].val)
	}
	o := object{
		{"result", b.results},
		{"result_error", b.errors},
		{"result_total", b.totals},
		{"result_next", b.nexts},
		{"result_time", b.times},
	}
	if c.happens(c.Faults().BatchMaps) {
		for i, part := range []array{b.results, b.errors, b.totals, b.nexts, b.times} {
			o[i].val = mixed(part)
		}
	}
	return o
}
