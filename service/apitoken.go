package service

import "leadsync/leads"

// apiToken lets the call centre ask: the one of the configuration, else the one kept in
// the data directory, which the first start generates.
func apiToken(cfg Config, data *dataDir) (leads.Secret, error) {
	if cfg.APIToken != "" {
		return cfg.APIToken, nil
	}
	return keptToken(apiTokenPlace(cfg, data))
}

// apiTokenPlace says where a person finds the token.
func apiTokenPlace(cfg Config, data *dataDir) string {
	if cfg.APIToken != "" {
		return "LEADSYNC_API_TOKEN"
	}
	return data.file("api-token")
}
