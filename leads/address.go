package leads

// The addresses of leadsync that stand in Bitrix24's forms, below its public address. They
// are here because everybody who names one imports this package; handlers serves them.
const (
	// CallbackPath is where Bitrix24 posts its events.
	CallbackPath = "/bitrix24/events"
	// LoginPath is where a person begins to log in; the parameter domain names the portal.
	LoginPath = "/bitrix24/oauth/start"
	// RedirectPath is where a log-in comes back from the portal.
	RedirectPath = "/bitrix24/oauth/callback"
)

// PublicPaths are all of them.
var PublicPaths = []string{CallbackPath, LoginPath, RedirectPath}

// ExaminerAgent is the User-Agent of leadsync itself where it tries its own public address: what it
// asks there is no callback that went astray.
const ExaminerAgent = "leadsync-doctor"
