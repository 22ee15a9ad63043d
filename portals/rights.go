package portals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// errNotAdministrator says that a user's tokens may do less than those that are stored.
var errNotAdministrator = errors.New("not an administrator of the portal")

// mayReplace refuses the tokens of a lesser user in place of a working pair: the rights
// would shrink. A callback with the portal's own application_token comes from Bitrix24,
// where only administrators install.
func (a authority) mayReplace(ctx context.Context, stored leads.Portal, offered authorization) error {
	sameUser := stored.UserID != 0 && stored.UserID == offered.grant.UserID
	if stored.State != leads.PortalActive || stored.RecognisesHash(offered.tokenHash) || sameUser {
		return nil
	}
	administrator, err := a.administrator(ctx, offered.clientEndpoint, offered.grant.AccessToken)
	if err != nil {
		return fmt.Errorf("ask %s for the rights of user %d: %w", stored.Domain, offered.grant.UserID, err)
	}
	if !administrator {
		return fmt.Errorf("%w: user %d of %s; the tokens that work are kept", errNotAdministrator, offered.grant.UserID, stored.Domain)
	}
	return nil
}

// administrator asks the portal whether a token's user administers it. user.admin says so;
// where the application may not call it, profile does (docs/bitrix24.md 1.14.3).
func (a authority) administrator(ctx context.Context, endpoint string, token leads.Secret) (bool, error) {
	ask := func(method string) (json.RawMessage, error) {
		client := bitrix24.NewClient(bitrix24.ClientConfig{
			Endpoint: leads.Secret(endpoint), Tokens: onlyToken(token), HTTP: a.oauth.HTTP, Now: a.oauth.Now,
		})
		answer, err := client.Call(ctx, method, nil)
		return answer.Result, err
	}
	result, err := ask("user.admin")
	if err == nil {
		return affirms(result), nil
	}
	result, other := ask("profile")
	var profile struct {
		Admin json.RawMessage `json:"ADMIN"`
	}
	if other == nil {
		other = json.Unmarshal(result, &profile)
	}
	if other != nil {
		return false, errors.Join(err, other)
	}
	return affirms(profile.Admin), nil
}

// affirms reads yes as PHP's JSON writes it.
func affirms(raw json.RawMessage) bool {
	return slices.Contains([]string{"true", "y", "1"}, strings.ToLower(strings.Trim(string(raw), `" `)))
}

// onlyToken is a token that cannot be replaced.
type onlyToken leads.Secret

func (t onlyToken) Token(context.Context) (leads.Secret, error) { return leads.Secret(t), nil }

func (t onlyToken) Refresh(context.Context, leads.Secret) (leads.Secret, error) {
	return "", fmt.Errorf("the new token is refused: %w", leads.ErrUnauthorized)
}

func (t onlyToken) Abandon(context.Context, leads.Secret) (bool, error) { return false, nil }
