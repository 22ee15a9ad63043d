package settings

// Groups are all settings: `leadsync serve --help`, `leadsync config show`, the operators' page and the table of the documentation
// are made from this list.
var Groups = []Group{
	{"Database and files", []Setting{
		{
			Name: "LEADSYNC_DATABASE_URL", Kind: URL, Secret: true, Otherwise: "`sqlite:<data>/leadsync.db`",
			Means: "sqlserver://user:password@host:1433?database=name, or sqlite:FILE",
			More:  "`sqlserver://user:password@host:1433?database=oktell`, or `sqlite:FILE`; percent-encode special characters of the password",
		},
		{
			Name: "LEADSYNC_DATABASE_SCHEMA", Kind: Text, Otherwise: "`dbo`",
			Means: "schema of the tables on SQL Server",
			More:  "the schema of all tables on SQL Server, the call centre's included; letters, digits and `_`",
		},
		{
			Name: "LEADSYNC_DATA_DIR", Kind: Folder, Default: "data",
			Means: "directory of the embedded NATS, SQLite, spool and journal",
			More:  "directory of the embedded NATS, SQLite, the spool and the journal; one process at a time may use it, and only its owner",
		},
		{
			Name: "LEADSYNC_SECRET_KEY", Kind: Text, Secret: true,
			Means: "32 bytes in base64: tokens in the database are encrypted with it",
			More:  "32 bytes in base64: leadsync encrypts the tokens in the database with it",
		},
	}},
	{"Bitrix24", []Setting{
		{
			Name: "LEADSYNC_PUBLIC_URL", Kind: URL,
			Means: "address at which Bitrix24 reaches leadsync, such as https://leads.example.com",
			More:  "the address at which Bitrix24 reaches leadsync, without leadsync's own path; without it leadsync cannot bind events. `http://` works, with a warning",
		},
		{
			Name: "LEADSYNC_HTTP_ADDR", Kind: Address, Default: "127.0.0.1:8080",
			Means: "where leadsync listens for Bitrix24; :8080 is every address of the machine",
			More:  "where leadsync listens for Bitrix24 and for browsers at a log-in: `/bitrix24/…` and `/healthz`, nothing else. `:8080` listens on every address of the machine; the container image sets that",
		},
		{Name: "LEADSYNC_B24_CLIENT_ID", Kind: Text, Means: "client id of the local application"},
		{Name: "LEADSYNC_B24_CLIENT_SECRET", Kind: Text, Secret: true, Means: "client secret of the local application"},
		{
			Name: "LEADSYNC_B24_WEBHOOK_URL", Kind: URL, Secret: true,
			Means: "inbound webhook, for use without an application",
		},
		{
			Name: "LEADSYNC_B24_APPLICATION_TOKEN", Kind: List, Secret: true,
			Means: "token of the outgoing webhook that belongs to it",
			More:  "token of the outgoing webhook that belongs to it; several webhooks have several tokens: separate them by commas",
		},
		{Name: "LEADSYNC_B24_MEMBER_ID", Kind: Text, Means: "id of the portal that belongs to it"},
		{
			Name: "LEADSYNC_B24_PORTALS", Kind: List, Otherwise: "the first that installs",
			Means: "portals that may install: member ids or host names, or any",
			More:  "which portals may install: member ids or host names, separated by commas, or `any`",
		},
		{
			Name: "LEADSYNC_B24_AUTH_HOSTS", Kind: List,
			Means: "further authorization servers of Bitrix24",
			More:  "further authorization servers of Bitrix24, host names separated by commas, such as `oauth.bitrix24.info`. leadsync sends them client secrets over https: add only what Bitrix24's documentation names",
		},
		{
			Name: "LEADSYNC_B24_INSECURE_HOSTS", Kind: List,
			Means: "host:port of an emulator, without TLS",
			More:  "list of `host:port`: leadsync uses plain HTTP to them and trusts them as authorization servers. For an emulator only",
		},
		{
			Name: "LEADSYNC_PHONE_REGION", Kind: Word, Default: "RU",
			Means: "country of phone numbers without a country code",
			More:  "the country of phone numbers without a country code, two capital letters. All replicas need the same value",
		},
		{
			Name: "LEADSYNC_SOLUTION_FIELD", Kind: Text,
			Means: "custom field that is copied to bitrix_lead_solution",
			More:  "the custom field that leadsync copies to `bitrix_lead_solution`, such as `UF_CRM_1387525788`. If you change it later, the next start of `serve` refills the table from the stored cards. All replicas need the same value: stop all before you change it. `leadsync reconcile` needs it too when no service runs",
		},
	}},
	{"Passes, and what is kept", []Setting{
		{
			Name: "LEADSYNC_RECONCILE_AT", Kind: Clock, Default: "03:00",
			Means: "when the nightly pass starts; off",
			More:  "when the nightly comparison starts, in the time zone `TZ`; `off` switches it off",
		},
		{
			Name: "TZ", Kind: Text, Otherwise: "the machine's",
			Means: "time zone of that, such as Europe/Moscow",
			More:  "time zone of the nightly comparison and of what commands print, such as `Europe/Moscow`",
		},
		{
			Name: "LEADSYNC_CATCHUP_EVERY", Kind: Duration, Default: "10m",
			Means: "how often recently changed leads are compared; off",
			More:  "how often leadsync compares recently changed leads; it also does so at start and after outages. `off` switches all of that off",
		},
		{
			Name: "LEADSYNC_KEEP", Kind: Duration, Default: "400d",
			Means: "how long passes, findings, incidents and failures are kept; off keeps them",
			More:  "how long leadsync keeps history: passes with their findings, incidents, the last callback of each lead, failures. At least `30d`; `off` keeps everything. [What is deleted when](docs/sqlserver.md#what-grows-and-what-is-deleted-when)",
		},
		{
			Name: "LEADSYNC_KEEP_CHANGES", Kind: Duration, Default: "90d",
			Means: "how long leadsync_changes is kept; off keeps it",
			More:  "how long `leadsync_changes` keeps what changed when. At least `1d`; `off` keeps everything",
		},
		{
			Name: "LEADSYNC_HISTORY_VALUES", Kind: Word, Default: "off",
			Means: "on keeps old and new values there, personal data among them",
			More:  "`on` keeps the old and the new value of each field there, too: names and phone numbers among them. All replicas need the same value",
		},
		{
			Name: "LEADSYNC_JOURNAL_KEEP", Kind: Duration, Default: "7d",
			Means: "how long the journal of leadsync why is kept; off keeps none",
			More:  "how long the journal in `<data>/journal` keeps what happened to each lead, for `leadsync why`: ids, times and names of fields, no values; at most 256 MiB. At least `1h`; `off` keeps none",
		},
	}},
	{"Operators and the call centre", []Setting{
		{
			Name: "LEADSYNC_ADMIN_ADDR", Kind: Address, Default: "127.0.0.1:8081",
			Means: "where the pages, /metrics, /readyz and /api are; unix:FILE; off",
			More:  "where leadsync listens for operators: the pages (open it in a browser), `/metrics`, `/readyz`, `/api/v1/…`, `/card`. Or `unix:/run/leadsync/admin.sock`, or `off`. On a loopback address or a socket, whoever is at this machine may do everything, unless `LEADSYNC_ADMIN_LOCAL_TOKEN` is set; on any other address it asks for a token",
		},
		{
			Name: "LEADSYNC_ADMIN_LOCAL_TOKEN", Kind: Word, Default: "off",
			Means: "required asks for a token on this machine, too: set it behind a reverse proxy",
			More:  "`required`: leadsync asks for a token on a loopback address or a socket, too. Set it wherever a reverse proxy on this machine forwards to `LEADSYNC_ADMIN_ADDR`, and where people without rights log in to this machine",
		},
		{
			Name: "LEADSYNC_OPERATOR_TOKEN", Kind: Text, Secret: true, Otherwise: "generated, in `<data>/operator-token`",
			Means: "token to start, replay, drop and bind",
			More:  "the token that may start, pause, replay, drop and bind; at least 16 characters",
		},
		{
			Name: "LEADSYNC_API_TOKEN", Kind: Text, Secret: true, Otherwise: "generated, in `<data>/api-token`",
			Means: "token to read",
			More:  "the token for reading: look-ups, status, metrics; at least 16 characters. All replicas need the same value",
		},
		{
			Name: "LEADSYNC_CARD_TOKEN", Kind: Text, Secret: true, Otherwise: "generated, in `<data>/card-token`",
			Means: "token in the addresses of /card",
			More:  "the token in the addresses of `/card`; it opens nothing else. All replicas need the same value",
		},
		{
			Name: "LEADSYNC_PUBLIC_API", Kind: Word, Default: "off",
			Means: "on: /api/v1 and /card at LEADSYNC_HTTP_ADDR, too",
			More:  "`on`: `/api/v1/…` and `/card` are also at `LEADSYNC_HTTP_ADDR`, with their tokens; the operators' token opens nothing there",
		},
		{
			Name: "LEADSYNC_ADMIN_TRUST_HEADER", Kind: Text,
			Means: "single sign-on: the header in which a reverse proxy names the person",
			More:  "for single sign-on: the header in which a reverse proxy on this machine names the person who logged in, such as `X-Remote-User`. The proxy must remove that header from what browsers send. Everybody else then needs a token",
		},
		{
			Name: "LEADSYNC_ADMIN_OPERATORS", Kind: List, Otherwise: "all of them",
			Means: "which of these people may operate",
			More:  "which of these people may operate, separated by commas",
		},
	}},
	{"NATS", []Setting{
		{
			Name: "LEADSYNC_NATS_URL", Kind: URL, Secret: true, Default: "embedded",
			Means: "embedded, or nats://host:4222, several separated by commas",
			More:  "`embedded`, or `nats://host:4222`; separate several by commas. The server needs JetStream with `sync_interval: always`",
		},
		{
			Name: "LEADSYNC_NATS_USER", Kind: Text,
			Means: "log-in of an external server",
			More:  "how leadsync logs in to an external server, with `LEADSYNC_NATS_PASSWORD`; or by one of `LEADSYNC_NATS_TOKEN`, `LEADSYNC_NATS_CREDS` and `LEADSYNC_NATS_NKEY`",
		},
		{Name: "LEADSYNC_NATS_PASSWORD", Kind: Text, Secret: true, Means: "its password"},
		{
			Name: "LEADSYNC_NATS_TOKEN", Kind: Text, Secret: true,
			Means: "another log-in: a token",
			More:  "another log-in: a token. With the embedded server it is the token of the one subscriber",
		},
		{Name: "LEADSYNC_NATS_CREDS", Kind: File, Means: "another log-in: a .creds file"},
		{Name: "LEADSYNC_NATS_NKEY", Kind: File, Means: "another log-in: a file with a seed"},
		{Name: "LEADSYNC_NATS_CA", Kind: File, Means: "for tls:// addresses: the certificates that sign the server's"},
		{Name: "LEADSYNC_NATS_CERT", Kind: File, Means: "for tls:// addresses: leadsync's own certificate"},
		{Name: "LEADSYNC_NATS_KEY", Kind: File, Means: "for tls:// addresses: the key of that certificate"},
		{
			Name: "LEADSYNC_NATS_PREFIX", Kind: Text,
			Means: "before all names of streams and subjects",
			More:  "makes room for several installations on one NATS account: with `berlin`, streams are called `berlin_LEADS` …, subjects `berlin.leads.>` …",
		},
		{
			Name: "LEADSYNC_NATS_REPLICAS", Kind: Number, Otherwise: "as they are, 1 for new ones",
			Means: "replicas of streams: 3 on a cluster",
			More:  "replicas of streams and leases, 3 on a cluster. Only `serve` and `migrate` change them",
		},
		{
			Name: "LEADSYNC_NATS_LISTEN", Kind: Address, Default: "127.0.0.1:4222",
			Means: "where the embedded server listens for subscribers",
		},
		{
			Name: "LEADSYNC_NATS_SUBSCRIBERS", Kind: List, Secret: true, Otherwise: "one, its token in `<data>/subscriber-token`",
			Means: "NAME:TOKEN of the embedded server's subscribers, or @FILE",
			More:  "subscribers of the embedded server: `billing:TOKEN,bi:TOKEN`, or `@FILE` with one on each line. Without it there is one, called `subscriber`. Remove a subscriber and restart to revoke it",
		},
	}},
	{"Alarms and logs", []Setting{
		{
			Name: "LEADSYNC_ALERT_URL", Kind: URL, Secret: true,
			Means: "webhook for alarms",
			More:  "leadsync posts a JSON message there when `/readyz` reports a problem for more than a minute, and when it is over. Chat services that show `text` need nothing else ([message](docs/monitoring.md#alarms-without-prometheus))",
		},
		{
			Name: "LEADSYNC_ALERT_SMTP_URL", Kind: URL, Secret: true,
			Means: "mail server for alarms",
			More:  "the same by e-mail: `smtp://user:password@mail.example.com:587` (STARTTLS) or `smtps://…:465`",
		},
		{Name: "LEADSYNC_ALERT_SMTP_FROM", Kind: Text, Means: "sender of these e-mails"},
		{Name: "LEADSYNC_ALERT_SMTP_TO", Kind: List, Means: "receivers of these e-mails"},
		{
			Name: "LEADSYNC_LOG_LEVEL", Kind: Word, Default: "info",
			Means: "debug, info, warn or error",
			More:  "`debug`, `info`, `warn` or `error`; logs go to stderr and contain no names, phone numbers or tokens",
		},
		{Name: "LEADSYNC_LOG_FORMAT", Kind: Word, Otherwise: "`text` on a terminal, else `json`", Means: "text or json", More: "`text` or `json`"},
	}},
}
