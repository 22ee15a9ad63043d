package console

import (
	"net/http"

	"leadsync/leads"
)

type portalsData struct {
	Portals []Portal
	// The values of Bitrix24's form for a local application; "" where LEADSYNC_PUBLIC_URL is
	// not set.
	HandlerPath, InstallPath string
	LoginPath                string // without a domain
}

// portals lists the portals, and what to enter in Bitrix24 for another one.
func (c *Console) portals(r *http.Request) (view, error) {
	reports, err := c.cfg.Portals.Reports(r.Context())
	if err != nil {
		return view{}, err
	}
	d := portalsData{Portals: reports}
	if at := c.cfg.PublicURL; at != "" {
		d.HandlerPath, d.InstallPath, d.LoginPath = at+leads.RedirectPath, at+leads.CallbackPath, at+leads.LoginPath
	}
	return view{page: "portals", data: d}, nil
}

// CanRebind tells portals whose events leadsync binds itself.
func (p Portal) CanRebind() bool { return !p.Webhook && p.State == leads.PortalActive }

func (c *Console) rebind(r *http.Request) (view, error) {
	member := r.PathValue("member")
	if !leads.ValidMemberID(member) {
		return view{}, errNotFound
	}
	if err := c.cfg.Portals.Rebind(r.Context(), member); err != nil {
		return view{}, err
	}
	return seeOther("/portals?done=rebound")
}

// settings shows what is in force.
func (c *Console) settings(*http.Request) (view, error) {
	return view{page: "settings", data: c.cfg.Settings()}, nil
}
