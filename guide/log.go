package guide

import (
	"context"
	"log/slog"
)

// Lines are log lines that a person has to act on, by their messages.
var Lines = map[string]Heading{
	"callback refused": Refused,
	"installation lost; save the application's form in Bitrix24 again": Installation,
	"authorization failed": LogIn,
	"LEADSYNC_B24_CLIENT_ID or LEADSYNC_B24_CLIENT_SECRET is missing: the tokens of this portal expire in an hour and cannot be renewed; " +
		"set both to what Bitrix24 shows in the application's form, and restart": Client,
	"portal needs authorization": Authorization,
	"refreshed tokens cannot be kept in the data directory: if the process ends before the database has them, somebody has to authorize the portal again": Authorization,
	"events are not bound: set LEADSYNC_PUBLIC_URL to an address that Bitrix24 can reach":                                                                 Bindings,
	"LEADSYNC_PUBLIC_URL is not set: leadsync cannot bind the events of portals":                                                                          Bindings,
	"leads were changed and no callback came: check whether Bitrix24 can reach LEADSYNC_PUBLIC_URL":                                                       Silence,
	"no test event arrived: check whether Bitrix24 can reach LEADSYNC_PUBLIC_URL":                                                                         Silence,
	"LEADSYNC_SECRET_KEY is not set: tokens are stored as plain text":                                                                                     NoKey,
	"portal is in simple CRM mode: it has no leads, new ones become deals at once; keeping the old rows":                                                  SimpleCRM,
	"the portal's leads have no custom field named by LEADSYNC_SOLUTION_FIELD: bitrix_lead_solution stays empty for this portal":                          SolutionField,
	"leads of an adopted database belong to no portal, run leadsync portals claim":                                                                        Unclaimed,
	"existing rows of the database could not be given to this portal, serving it without them":                                                            Unclaimed,
	"a transaction waits for a lock": Lock,
	"tables could not be refilled as the settings say, trying again; lookups and reports may lack rows":                  Refill,
	"the database is behind the topic: it was lost or restored; revisions go on above the topic's":                       DatabaseLost,
	"the database is new, the topic is not: leads restored from the topic until the import has compared them":            DatabaseLost,
	"too many deletions at once, deletions stopped; find out why, then allow them with leadsync reconcile --max-deletes": Deletions,
	"pass needs an operator": Deletions,
	"the spool is full: callbacks are lost until NATS and the database are back": Disk,
	"callback lost, it cannot be stored":                                         Disk,
	"spool segment is damaged: callbacks are lost":                               Segment,
	"callbacks wait in the spool":                                                Spool,
	"the journal cannot be written, dropping entries until it can":               Journal,
	"lead cannot be written, keeping its card in bitrix_import_lead_error":       Lead,
	"alarm could not be sent, trying again":                                      Alarms,
	"operators' address is plain http beyond this machine: tokens can be read on their way, unless a proxy in front of it speaks https": OperatorsAddress,
}

// Log adds to lines that a person has to act on where to read what to do, as the attribute "see": to those
// whose message is known for it, and to errors that have a heading.
func Log(next slog.Handler) slog.Handler { return handler{next} }

type handler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	see := Lines[r.Message]
	if see == "" && r.Level >= slog.LevelError {
		r.Attrs(func(a slog.Attr) bool {
			if err, ok := a.Value.Any().(error); ok && see == "" {
				see = Of(err)
			}
			return see == ""
		})
	}
	if see != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("see", see.String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
