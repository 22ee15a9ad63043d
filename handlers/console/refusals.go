package console

// refusalWords say why an installation or a log-in was refused, and what a person does about it, by the
// reason's label. The others are callbacks of strangers.
var refusalWords = map[string]struct {
	why, do string
	invite  bool // the portal may be let in
}{
	"not_verified":      {"the authorization server does not confirm the installation, or the portal is not allowed here", "Is it your portal? Let it in with the keys of its own application, or add it to LEADSYNC_B24_PORTALS and restart; then save the application's form in Bitrix24 again.", true},
	"unknown_portal":    {"no such portal is connected", "Is it your portal? Let it in with the keys of its application, then save the application's form in Bitrix24 again.", true},
	"not_served":        {"a log-in came from a portal that is not allowed here", "Is it your portal? Let it in, or add it to LEADSYNC_B24_PORTALS and restart; then log in again.", true},
	"wrong_application": {"a log-in failed, because the authorization server does not know the client id or secret", "Its application has other keys: let it in with its own client_id and client_secret, or correct LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET and restart.", true},
	"no_application":    {"a log-in needs the application's client id and secret, which are not configured", "Set LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET and restart, or let the portal in with keys of its own.", true},
	"wrong_token":       {"the application_token in it is not the portal's", "Save the application's form in Bitrix24 again. Webhooks: LEADSYNC_B24_APPLICATION_TOKEN takes the token of each outgoing webhook, commas between them.", false},
	"token_not_learnt":  {"the portal's application_token is not known yet, so nobody can verify it", "Save the application's form in Bitrix24 again, so that leadsync learns its token.", false},
	"too_many":          {"installations that nobody has confirmed came too often", "Wait a minute, then save the form again.", false},
	"unavailable":       {"the database, NATS or Bitrix24 did not answer", "See the examination for what does not answer, then save the application's form in Bitrix24 again.", false},
	"not_administrator": {"a log-in was by a user who may do less than the one whose tokens are stored", "An administrator of the portal has to install the application or log in.", false},
	"application_page":  {"Bitrix24 opened leadsync as an application page", "Tick “Uses API only” in the application's form and save it again.", false},
	"untrusted_server":  {"a log-in named a server that is not one of Bitrix24's authorization servers", "Is it a portal of your own installation of Bitrix24? Its server has to be one of those that leadsync trusts.", false},
	"bad_domain":        {"a log-in named something else than the address of a portal", "Begin the log-in on the page of portals.", false},
	"not_started":       {"a log-in did not begin here, or in another browser", "Begin the log-in on the page of portals, and end it in the same browser.", false},
	"code_expired":      {"a log-in took too long", "Begin the log-in on the page of portals.", false},
	"login_failed":      {"a log-in failed", "Begin the log-in on the page of portals; the log has the cause.", false},
	"robot_webhook":     {"an automation robot or a business process sent it, and nobody can verify that", "Remove the robot’s webhook, and create an outgoing webhook for the events of leads in Bitrix24.", false},
}
