package events

// PortalEvent is what a portal's notice is about.
type PortalEvent string

// Every kind of portal notice that leadsync publishes. Those in capitals are the names of
// Bitrix24's own events; the others are leadsync's.
const (
	Installed   PortalEvent = "ONAPPINSTALL"   // the application was installed
	Updated     PortalEvent = "ONAPPUPDATE"    // the application was updated to a new version
	UserReady   PortalEvent = "ONAPPUSERREADY" // the application got a system user and its tokens
	Uninstalled PortalEvent = "ONAPPUNINSTALL" // the application was removed
	Doorbell    PortalEvent = "ONOFFLINEEVENT" // there is something in the portal's own queue of events
	Tested      PortalEvent = "ONAPPTEST"      // the answer to a test of the callback address
	Authorized  PortalEvent = "oauth"          // somebody came back from the OAuth redirect
	Adopted     PortalEvent = "webhook"        // the portal is known by configuration, and is reached by webhooks
	Rebind      PortalEvent = "rebind"         // an operator wants the events bound again
)

// Known reports whether leadsync publishes notices of this kind.
func (e PortalEvent) Known() bool {
	switch e {
	case Installed, Updated, UserReady, Uninstalled, Doorbell, Tested, Authorized, Adopted, Rebind:
		return true
	default:
		return false
	}
}
