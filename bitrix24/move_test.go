package bitrix24_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
)

const (
	oldHost   = "before.bitrix24.com"
	oldPortal = "https://" + oldHost
	oauthHost = "oauth.bitrix.info"
)

// redirects is the old host, which redirects to the portal's new address.
func redirects(to string) emulatortest.Interceptor {
	return func(r *http.Request) *http.Response {
		if r.URL.Host != oldHost {
			return nil
		}
		return emulatortest.Response(http.StatusFound, "", "Location", to+r.URL.RequestURI())
	}
}

// renamed is an application whose stored endpoint is the old host, which redirects to to. It
// also returns the endpoints that were stored.
func renamed(t *testing.T, to string) (*emulatortest.Harness, *bitrix24.Client, *[]string) {
	t.Helper()
	h := emulatortest.New(t, emulator.Config{Leads: 3, Seed: 1})
	store := &grants{grant: h.Install(t)}
	h.Transport.Intercept(redirects(to))
	chain := &bitrix24.TokenSource{MemberID: h.Portal.Info().MemberID, Server: emulatortest.OAuthURL + "/rest/", OAuth: h.OAuth(), Grants: store}
	var moves []string
	home := &bitrix24.Home{
		MemberID: chain.MemberID, Server: chain.Server, OAuth: chain.OAuth, Tokens: chain,
		Move: func(_ context.Context, endpoint string) error { moves = append(moves, endpoint); return nil },
	}
	return h, bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: oldPortal + "/rest/", Tokens: chain, HTTP: h.HTTP(), Moved: home.Moved,
	}), &moves
}

func TestARenamedPortalIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, client, moves := renamed(t, emulatortest.PortalURL)
		ids := sortedIDs(truth(t, h.Portal))
		snaps, err := client.Leads().Read(t.Context(), ids, draws())
		if err != nil || len(snaps) != len(ids) || snaps[0].Sight != leads.Present {
			t.Fatalf("read %d leads, %v", len(snaps), err)
		}
		if len(*moves) != 1 || (*moves)[0] != emulatortest.PortalURL+"/rest/" {
			t.Errorf("stored %v", *moves)
		}
		before := client.Requests()
		if _, err := client.Read(t.Context(), "server.time", nil); err != nil || client.Requests() != before+1 {
			t.Errorf("the next call took %d requests, %v", client.Requests()-before, err)
		}
	})
}

// A redirect is only the reason to ask: the token goes where the authorization server says.
func TestARedirectIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, client, moves := renamed(t, "https://evil.example.com")
		base := redirects("https://evil.example.com")
		h.Transport.Intercept(func(r *http.Request) *http.Response {
			if r.URL.Host == "evil.example.com" {
				t.Error("a request went to where the redirect pointed")
			}
			return base(r)
		})
		if _, err := client.Read(t.Context(), "server.time", nil); err != nil {
			t.Fatal(err)
		}
		if len(*moves) != 1 || (*moves)[0] != emulatortest.PortalURL+"/rest/" {
			t.Errorf("stored %v", *moves)
		}
	})
}

func TestUselessRedirectsAreExplained(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, h *emulatortest.Harness)
		says    string
		is      error
	}{
		{"the new address redirects back", func(_ *testing.T, h *emulatortest.Harness) {
			h.Transport.Intercept(func(r *http.Request) *http.Response {
				switch r.URL.Host {
				case oauthHost:
					return nil
				case oldHost:
					return emulatortest.Response(http.StatusFound, "", "Location", emulatortest.PortalURL+r.URL.RequestURI())
				default:
					return emulatortest.Response(http.StatusFound, "", "Location", oldPortal+r.URL.RequestURI())
				}
			})
		}, "still names the old address", nil},
		{"another portal's token", func(t *testing.T, h *emulatortest.Harness) {
			t.Helper()
			other := emulatortest.New(t, emulator.Config{Seed: 2})
			info := `{"result":{"install":{"installed":true,"member_id":"` + other.Portal.Info().MemberID + `","client_endpoint":"` + emulatortest.PortalURL + `/rest/"}},"time":{}}`
			base := redirects(emulatortest.PortalURL)
			h.Transport.Intercept(func(r *http.Request) *http.Response {
				if strings.HasSuffix(r.URL.Path, "app.info") {
					return emulatortest.Response(http.StatusOK, info)
				}
				return base(r)
			})
		}, "another portal's", bitrix24.ErrElsewhere},
		{"an address that is not https", func(_ *testing.T, h *emulatortest.Harness) {
			base := redirects(emulatortest.PortalURL)
			h.Transport.Intercept(func(r *http.Request) *http.Response {
				if strings.HasSuffix(r.URL.Path, "app.info") {
					return emulatortest.Response(http.StatusOK, `{"result":{"install":{"member_id":"`+h.Portal.Info().MemberID+`","client_endpoint":"http://company.bitrix24.com/rest/"}}}`)
				}
				return base(r)
			})
		}, "not https", bitrix24.ErrUntrusted},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, client, _ := renamed(t, emulatortest.PortalURL)
				test.prepare(t, h)
				_, err := client.Call(t.Context(), "server.time", nil)
				if err == nil || !strings.Contains(err.Error(), test.says) || test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("got %v", err)
				}
				if client.Requests() > 4 {
					t.Errorf("it took %d requests", client.Requests())
				}
			})
		})
	}
}

func TestAWebhooksNewAddressIsNotGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Faults: emulator.Faults{RenamedTo: "https://new.bitrix24.com"}})
		_, err := h.Webhook(nil).Read(t.Context(), "server.time", nil)
		if !errors.Is(err, leads.ErrStopped) || !strings.Contains(err.Error(), "new.bitrix24.com") {
			t.Errorf("got %v", err)
		}
		secret := strings.Split(h.Portal.Info().Webhook, "/")[5]
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the webhook: %v", err)
		}
	})
}

// A redirect that names no other host says nothing about a new address.
func TestAWebhooksHostThatRedirectsToItselfHasNotMoved(t *testing.T) {
	for _, location := range []string{"/maintenance.html", "https://company.bitrix24.com/auth/", "", "?x=1"} {
		client := bitrix24.NewClient(bitrix24.ClientConfig{
			Endpoint: "https://company.bitrix24.com/rest/1/h00kh00kh00kh00k/",
			HTTP: &http.Client{CheckRedirect: bitrix24.NewHTTP().CheckRedirect, Transport: roundTripFunc(func(*http.Request) *http.Response {
				return emulatortest.Response(http.StatusFound, "", "Location", location)
			})},
		})
		_, err := client.Call(t.Context(), "server.time", nil)
		if !errors.Is(err, leads.ErrPortalRefuses) || !strings.Contains(err.Error(), "under maintenance") || strings.Contains(err.Error(), "nowhere") {
			t.Errorf("%q: %v", location, err)
		}
	}
}
