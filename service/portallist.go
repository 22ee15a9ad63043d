package service

import (
	"context"
	"fmt"
	"io"

	"leadsync/repo"
)

// PortalList is all portals as they are printed.
type PortalList struct {
	Portals   []PortalView `json:"portals"`
	Unclaimed int64        `json:"unclaimed_leads"` // of an adopted database, of no portal
}

// ListPortals reads them from the database alone.
func ListPortals(ctx context.Context, db *repo.DB) (PortalList, error) {
	portals, err := db.Portals(ctx)
	if err != nil {
		return PortalList{}, err
	}
	list := PortalList{Portals: make([]PortalView, len(portals))}
	for i, p := range portals {
		list.Portals[i] = ViewPortal(p)
	}
	list.Unclaimed, err = db.Unclaimed(ctx)
	return list, err
}

// WriteText writes a line for each portal.
func (l PortalList) WriteText(out io.Writer) (err error) {
	if len(l.Portals) == 0 {
		_, err = fmt.Fprintln(out, "no portal is connected yet: install the application in Bitrix24, or add a webhook")
	}
	for _, v := range l.Portals {
		_, err = fmt.Fprintf(out, "%-34s %-12s %-20s %s\n", v.MemberID, v.Way, v.State, v.Domain)
	}
	if l.Unclaimed > 0 && err == nil {
		_, err = fmt.Fprintln(out, UnclaimedWords(l.Unclaimed))
	}
	return err
}

// UnclaimedWords says what leads without a portal mean and what to do.
func UnclaimedWords(n int64) string {
	return LeadsBelong(n, " of an adopted database") + " to no portal: say whose they are with leadsync portals claim <member_id or domain>"
}

// LeadsBelong is so many leads of something with their verb.
func LeadsBelong(n int64, of string) string {
	if n == 1 {
		return "1 lead" + of + " belongs"
	}
	return fmt.Sprintf("%d leads%s belong", n, of)
}
