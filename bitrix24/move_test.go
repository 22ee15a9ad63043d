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
	"leadsync/leads"
)

const oldPortal = "https://before.bitrix24.com"

// renamed is an application whose stored endpoint is the old host, which redirects to to.
func renamed(t *testing.T, to string) (*inside, *bitrix24.Client, *[]string) {
	t.Helper()
	in := startInside(t, emulator.Config{Leads: 3, Seed: 1})
	store := &grants{grant: in.install(t)}
	in.answer(func(r *http.Request) *http.Response {
		if r.URL.Host != hostName(oldPortal) {
			return nil
		}
		return canned(http.StatusFound, "", "Location", to+r.URL.RequestURI())
	})
	chain := &bitrix24.TokenSource{MemberID: in.portal.Info().MemberID, Server: insideServer + "/rest/", OAuth: in.oauth(), Grants: store}
	var moves []string
	home := &bitrix24.Home{
		MemberID: chain.MemberID, Server: chain.Server, OAuth: chain.OAuth, Tokens: chain,
		Move: func(_ context.Context, endpoint string) error { moves = append(moves, endpoint); return nil },
	}
	return in, bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: oldPortal + "/rest/", Tokens: chain, HTTP: in.client(), Moved: home.Moved,
	}), &moves
}

func TestARenamedPortalIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, client, moves := renamed(t, insidePortal)
		ids := sortedIDs(truth(t, in.portal))
		snaps, err := client.Leads().Read(t.Context(), ids, draws())
		if err != nil || len(snaps) != len(ids) || snaps[0].Sight != leads.Present {
			t.Fatalf("read %d leads, %v", len(snaps), err)
		}
		if len(*moves) != 1 || (*moves)[0] != insidePortal+"/rest/" {
			t.Errorf("stored %v", *moves)
		}
		before := client.Requests()
		if _, err := client.Read(t.Context(), "server.time", nil); err != nil || client.Requests() != before+1 {
			t.Errorf("the next call took %d requests, %v", client.Requests()-before, err)
		}
	})
}

// A redirect to anywhere only makes us ask; the token goes where the authorization
// server says.
func TestARedirectIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, client, moves := renamed(t, "https://evil.example.com")
		base := in.at
		in.answer(func(r *http.Request) *http.Response {
			if r.URL.Host == "evil.example.com" {
				t.Error("a request went to where the redirect pointed")
			}
			return base(r)
		})
		if _, err := client.Read(t.Context(), "server.time", nil); err != nil {
			t.Fatal(err)
		}
		if len(*moves) != 1 || (*moves)[0] != insidePortal+"/rest/" {
			t.Errorf("stored %v", *moves)
		}
	})
}

func TestARedirectThatLeadsNowhereIsExplained(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, in *inside)
		says  string
		is    error
	}{
		{"the new address redirects back", func(_ *testing.T, in *inside) {
			in.answer(func(r *http.Request) *http.Response {
				switch r.URL.Host {
				case hostName(insideServer):
					return nil
				case hostName(oldPortal):
					return canned(http.StatusFound, "", "Location", insidePortal+r.URL.RequestURI())
				default:
					return canned(http.StatusFound, "", "Location", oldPortal+r.URL.RequestURI())
				}
			})
		}, "still names the old address", nil},
		{"another portal's token", func(t *testing.T, in *inside) {
			t.Helper()
			other := startInside(t, emulator.Config{Seed: 2})
			info := `{"result":{"install":{"installed":true,"member_id":"` + other.portal.Info().MemberID + `","client_endpoint":"` + insidePortal + `/rest/"}},"time":{}}`
			base := in.at
			in.answer(func(r *http.Request) *http.Response {
				if strings.HasSuffix(r.URL.Path, "app.info") {
					return canned(http.StatusOK, info)
				}
				return base(r)
			})
		}, "another portal's", bitrix24.ErrElsewhere},
		{"an address that is not https", func(_ *testing.T, in *inside) {
			base := in.at
			in.answer(func(r *http.Request) *http.Response {
				if strings.HasSuffix(r.URL.Path, "app.info") {
					return canned(http.StatusOK, `{"result":{"install":{"member_id":"`+in.portal.Info().MemberID+`","client_endpoint":"http://company.bitrix24.com/rest/"}}}`)
				}
				return base(r)
			})
		}, "not https", bitrix24.ErrUntrusted},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, client, _ := renamed(t, insidePortal)
				test.spoil(t, in)
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
		in := startInside(t, emulator.Config{Faults: emulator.Faults{RenamedTo: "https://new.bitrix24.com"}})
		_, err := in.webhook(nil).Read(t.Context(), "server.time", nil)
		if !errors.Is(err, leads.ErrStopped) || !strings.Contains(err.Error(), "new.bitrix24.com") {
			t.Errorf("got %v", err)
		}
		secret := strings.Split(in.portal.Info().Webhook, "/")[5]
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the webhook: %v", err)
		}
	})
}
