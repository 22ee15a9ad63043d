package service

import (
	"leadsync/handlers/access"
	"leadsync/leads"
)

// The files in the data directory that keep tokens which the settings leave out.
const (
	apiTokenFile      = "api-token"
	operatorTokenFile = "operator-token"
	cardTokenFile     = "card-token"
)

// accessTokens are what opens the operators' face and the look-ups: those of the
// configuration, else those kept in the data directory, which the first start generates.
func accessTokens(cfg Config, data *dataDir) (access.Tokens, error) {
	var tokens access.Tokens
	for _, token := range []struct {
		into       *leads.Secret
		configured leads.Secret
		file       string
	}{
		{&tokens.Read, cfg.APIToken, apiTokenFile},
		{&tokens.Operate, cfg.Admin.OperatorToken, operatorTokenFile},
		{&tokens.Card, cfg.Admin.CardToken, cardTokenFile},
	} {
		*token.into = token.configured
		if token.configured != "" {
			continue
		}
		kept, err := keptToken(data.file(token.file))
		if err != nil {
			return tokens, err
		}
		*token.into = kept
	}
	return tokens, nil
}

// tokenPlace says where a person finds a token.
func tokenPlace(configured leads.Secret, setting string, data *dataDir, file string) string {
	if configured != "" {
		return setting
	}
	return data.file(file)
}
