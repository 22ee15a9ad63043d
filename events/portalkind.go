package events

// Kinds of portal notices beside those of notice.go.
const (
	Installed      = "ONAPPINSTALL"
	Updated        = "ONAPPUPDATE"
	UserReady      = "ONAPPUSERREADY"
	LoggedIn       = "oauth"   // somebody authorized leadsync in a browser
	WebhookAdopted = "webhook" // a portal that is known by configuration
)
