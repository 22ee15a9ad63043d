package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"leadsync/leads"
	"leadsync/repo"
)

// lookupCmd answers as GET /api/v1/lookup does, from the database alone.
type lookupCmd struct {
	Phone string `arg:"" help:"The number, as it was dialled or written."`
	Limit int    `default:"50" help:"The most leads that are told."`
	JSON  bool   `name:"json" help:"Print one JSON object."`
}

// Run tells whose number it is. That nobody has it is an answer: the exit code is 0.
func (l lookupCmd) Run(ctx context.Context, a *app) error {
	digits, ok := leads.CallerDigits(l.Phone)
	if !ok {
		return usageError{errors.New("lookup takes a telephone number of at least three digits, such as +79123456789")}
	}
	return a.stored(ctx, func(db *repo.DB) error {
		found, err := db.Callers(ctx, digits, max(1, l.Limit))
		if err != nil {
			return err
		}
		if l.JSON {
			return json.NewEncoder(a.stdout).Encode(leads.NewAnswer(found))
		}
		return printCallers(a.stdout, found)
	})
}

func printCallers(out io.Writer, found []leads.Caller) error {
	if len(found) == 0 {
		_, err := fmt.Fprintln(out, "no lead has this number")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RANK\tLEAD\tSTATE\tNAME\tCOMPANY\tTITLE\tRESPONSIBLE\tREAD\tCARD")
	for _, c := range found {
		state := "open"
		if !c.Open {
			state = "closed"
		}
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Rank, c.LeadID, state, c.Name, c.Company, c.Title, c.ResponsibleID, wallTime(c.ReadAt), c.CardURL)
	}
	return w.Flush()
}

// keyAgain is the pause after a failure to key phones.
const keyAgain = time.Minute

// keyPhones has the numbers of older rows keyed as this version and this region do. The
// service works meanwhile: lookups miss what is not keyed yet.
func (s *service) keyPhones(ctx context.Context) error {
	for ctx.Err() == nil {
		done, err := s.db.KeyPhones(ctx)
		if err == nil {
			if done {
				s.log.InfoContext(ctx, "phones are keyed", "region", s.cfg.phoneRegion)
			}
			return nil
		}
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "phones cannot be keyed; lookups may miss numbers", "error", err)
		}
		_ = pauseFor(ctx, keyAgain) // the loop looks whether it was cut short
	}
	return nil
}
