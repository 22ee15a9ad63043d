package service

// SettingHelp is what a setting means, in a line.
type SettingHelp struct {
	Names   []string
	Default string // "" where it is not set
	Means   string
}

// SettingGroup is a group of settings.
type SettingGroup struct {
	Title    string
	Settings []SettingHelp
}

// SettingGroups are all settings; README.md says more of each.
var SettingGroups = []SettingGroup{
	{"Database and files", []SettingHelp{
		{[]string{"LEADSYNC_DATABASE_URL"}, "sqlite:data/leadsync.db", "sqlserver://user:password@host:1433?database=name, or sqlite:FILE"},
		{[]string{"LEADSYNC_DATABASE_SCHEMA"}, "dbo", "schema of the tables on SQL Server"},
		{[]string{"LEADSYNC_DATA_DIR"}, "data", "directory of the embedded NATS, SQLite, spool and journal"},
		{[]string{"LEADSYNC_SECRET_KEY"}, "", "32 bytes in base64: tokens in the database are encrypted with it"},
	}},
	{"Bitrix24", []SettingHelp{
		{[]string{"LEADSYNC_PUBLIC_URL"}, "", "address at which Bitrix24 reaches leadsync, such as https://leads.example.com"},
		{[]string{"LEADSYNC_HTTP_ADDR"}, ":8080", "where leadsync listens for Bitrix24"},
		{[]string{"LEADSYNC_B24_CLIENT_ID", "LEADSYNC_B24_CLIENT_SECRET"}, "", "keys of the local application"},
		{[]string{"LEADSYNC_B24_WEBHOOK_URL", "LEADSYNC_B24_APPLICATION_TOKEN", "LEADSYNC_B24_MEMBER_ID"}, "", "inbound webhook, token of the outgoing one, the portal's id: instead of an application"},
		{[]string{"LEADSYNC_B24_PORTALS"}, "the first that installs", "portals that may install: member ids or host names, or any"},
		{[]string{"LEADSYNC_B24_AUTH_HOSTS"}, "", "further authorization servers of Bitrix24"},
		{[]string{"LEADSYNC_B24_INSECURE_HOSTS"}, "", "host:port of an emulator, without TLS"},
		{[]string{"LEADSYNC_PHONE_REGION"}, "RU", "country of phone numbers without a country code"},
		{[]string{"LEADSYNC_SOLUTION_FIELD"}, "", "custom field that is copied to bitrix_lead_solution"},
	}},
	{"Passes, and what is kept", []SettingHelp{
		{[]string{"LEADSYNC_RECONCILE_AT"}, "03:00", "when the nightly pass starts; off"},
		{[]string{"TZ"}, "the machine's", "time zone of that"},
		{[]string{"LEADSYNC_CATCHUP_EVERY"}, "10m", "how often recently changed leads are compared; off"},
		{[]string{"LEADSYNC_KEEP"}, "400d", "how long passes, findings, incidents and failures are kept; off keeps them"},
		{[]string{"LEADSYNC_KEEP_CHANGES"}, "90d", "how long leadsync_changes is kept; off keeps it"},
		{[]string{"LEADSYNC_HISTORY_VALUES"}, "off", "on keeps old and new values there, personal data among them"},
		{[]string{"LEADSYNC_JOURNAL_KEEP"}, "7d", "how long the journal of leadsync why is kept; off keeps none"},
	}},
	{"Operators and the call centre", []SettingHelp{
		{[]string{"LEADSYNC_ADMIN_ADDR"}, "127.0.0.1:8081", "where the pages, /metrics, /readyz and /api are; unix:FILE; off"},
		{[]string{"LEADSYNC_ADMIN_LOCAL_TOKEN"}, "off", "required asks for a token on this machine, too: set it behind a reverse proxy"},
		{[]string{"LEADSYNC_OPERATOR_TOKEN"}, "in data/operator-token", "token to start, replay, drop and bind"},
		{[]string{"LEADSYNC_API_TOKEN"}, "in data/api-token", "token to read"},
		{[]string{"LEADSYNC_CARD_TOKEN"}, "in data/card-token", "token in the addresses of /card"},
		{[]string{"LEADSYNC_PUBLIC_API"}, "off", "on: /api/v1 and /card at LEADSYNC_HTTP_ADDR, too"},
		{[]string{"LEADSYNC_ADMIN_TRUST_HEADER", "LEADSYNC_ADMIN_OPERATORS"}, "", "single sign-on: the header with the person's name; who of them operates"},
	}},
	{"NATS", []SettingHelp{
		{[]string{"LEADSYNC_NATS_URL"}, "embedded", "or nats://host:4222, several separated by commas"},
		{[]string{"LEADSYNC_NATS_USER", "LEADSYNC_NATS_PASSWORD"}, "", "log-in of an external server"},
		{[]string{"LEADSYNC_NATS_TOKEN", "LEADSYNC_NATS_CREDS", "LEADSYNC_NATS_NKEY"}, "", "other log-ins: a token, a .creds file, a file with a seed"},
		{[]string{"LEADSYNC_NATS_CA", "LEADSYNC_NATS_CERT", "LEADSYNC_NATS_KEY"}, "", "files for tls:// addresses"},
		{[]string{"LEADSYNC_NATS_PREFIX"}, "", "before all names of streams and subjects"},
		{[]string{"LEADSYNC_NATS_REPLICAS"}, "1 for new streams", "replicas of streams: 3 on a cluster"},
		{[]string{"LEADSYNC_NATS_LISTEN"}, "127.0.0.1:4222", "where the embedded server listens for subscribers"},
		{[]string{"LEADSYNC_NATS_SUBSCRIBERS"}, "one, in data/subscriber-token", "NAME:TOKEN of the embedded server's subscribers, or @FILE"},
	}},
	{"Alarms and logs", []SettingHelp{
		{[]string{"LEADSYNC_ALERT_URL"}, "", "webhook for alarms"},
		{[]string{"LEADSYNC_ALERT_SMTP_URL", "LEADSYNC_ALERT_SMTP_FROM", "LEADSYNC_ALERT_SMTP_TO"}, "", "the same by e-mail: server, sender, receivers"},
		{[]string{"LEADSYNC_LOG_LEVEL"}, "info", "debug, info, warn or error"},
		{[]string{"LEADSYNC_LOG_FORMAT"}, "text on a terminal, else json", "text or json"},
	}},
}
