package service

import (
	"errors"
	"path/filepath"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// ReadConfig reads the environment. Its error names each faulty variable and what it
// should look like; it never repeats a value.
func ReadConfig(lookup func(string) (string, bool)) (Config, error) {
	e := &environment{lookup: lookup}
	cfg := Config{
		DataDir:         e.text("LEADSYNC_DATA_DIR"),
		NATSURL:         readNATSURL(e, "LEADSYNC_NATS_URL"),
		NATS:            natsLogin(e),
		Subscribers:     readSubscribers(e, "LEADSYNC_NATS_SUBSCRIBERS"),
		NATSPrefix:      readNATSPrefix(e, "LEADSYNC_NATS_PREFIX"),
		NATSListen:      e.address("LEADSYNC_NATS_LISTEN"),
		Replicas:        readReplicas(e, "LEADSYNC_NATS_REPLICAS"),
		HTTPAddr:        e.address("LEADSYNC_HTTP_ADDR"),
		Admin:           readAdmin(e),
		PublicURL:       readPublicURL(e, "LEADSYNC_PUBLIC_URL"),
		ClientID:        e.text("LEADSYNC_B24_CLIENT_ID"),
		ClientSecret:    leads.Secret(e.text("LEADSYNC_B24_CLIENT_SECRET")),
		WebhookToken:    readWebhookTokens(e, "LEADSYNC_B24_APPLICATION_TOKEN"),
		WebhookMemberID: readMemberID(e, "LEADSYNC_B24_MEMBER_ID"),
		Portals:         readPortals(e, "LEADSYNC_B24_PORTALS"),
		Trust: bitrix24.Trust{
			Insecure:  readHosts(e, "LEADSYNC_B24_INSECURE_HOSTS"),
			AuthHosts: readAuthHosts(e, "LEADSYNC_B24_AUTH_HOSTS"),
		},
		SecretKey:     e.key("LEADSYNC_SECRET_KEY"),
		ReconcileAt:   e.clock("LEADSYNC_RECONCILE_AT"),
		CatchUpEvery:  e.interval("LEADSYNC_CATCHUP_EVERY"),
		Keep:          e.keep("LEADSYNC_KEEP", shortestKeep),
		KeepChanges:   e.keep("LEADSYNC_KEEP_CHANGES", day),
		HistoryValues: e.onOff("LEADSYNC_HISTORY_VALUES"),
		JournalKeep:   e.keep("LEADSYNC_JOURNAL_KEEP", time.Hour),
		SolutionField: readSolutionField(e, "LEADSYNC_SOLUTION_FIELD"),
		LogLevel:      e.level("LEADSYNC_LOG_LEVEL"),
		LogFormat:     e.choice("LEADSYNC_LOG_FORMAT", "text", "json"),
		PhoneRegion:   readRegion(e, "LEADSYNC_PHONE_REGION"),
		APIToken:      e.apiToken("LEADSYNC_API_TOKEN"),
		Alerts:        readAlerts(e),
		Zone:          e.text("TZ"),
	}
	checkTokensDiffer(e, cfg)
	cfg.DatabaseURL = readDatabaseURL(e, "LEADSYNC_DATABASE_URL", "sqlite:"+filepath.Join(cfg.DataDir, "leadsync.db"))
	cfg.DatabaseSchema = readSchema(e, "LEADSYNC_DATABASE_SCHEMA", cfg.DatabaseURL)
	cfg.WebhookURL = readWebhook(e, "LEADSYNC_B24_WEBHOOK_URL", cfg.Trust)
	if cfg.WebhookURL != "" && cfg.WebhookToken == "" {
		e.fault("LEADSYNC_B24_APPLICATION_TOKEN", "missing", "the token that Bitrix24 shows for the outgoing webhook; without it callbacks cannot be told from forgeries", "LEADSYNC_B24_WEBHOOK_URL")
	}
	checkTogether(e, cfg)
	return cfg, errors.Join(e.faults...)
}

// checkTogether checks what only makes sense together.
func checkTogether(e *environment, cfg Config) {
	if (cfg.ClientID == "") != (cfg.ClientSecret == "") {
		e.fault("LEADSYNC_B24_CLIENT_ID", "set without LEADSYNC_B24_CLIENT_SECRET, or the other way round", "both, as Bitrix24 shows them for the application, or neither", "LEADSYNC_B24_CLIENT_SECRET")
	}
	if cfg.WebhookURL == "" && (cfg.WebhookToken != "" || cfg.WebhookMemberID != "") {
		e.fault("LEADSYNC_B24_WEBHOOK_URL", "missing", "the inbound webhook that LEADSYNC_B24_APPLICATION_TOKEN and LEADSYNC_B24_MEMBER_ID belong to", "LEADSYNC_B24_APPLICATION_TOKEN", "LEADSYNC_B24_MEMBER_ID")
	}
	if len(cfg.Subscribers) > 0 && (cfg.NATSURL != Embedded || cfg.NATS.Token != "") {
		e.fault("LEADSYNC_NATS_SUBSCRIBERS", "set beside LEADSYNC_NATS_URL or LEADSYNC_NATS_TOKEN", "it alone; a NATS server that runs by itself knows its subscribers, see deployments/nats/nats.conf")
	}
}
