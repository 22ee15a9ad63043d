package bitrix24_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator/emulatortest"
)

// FuzzReadBatches answers every request with one body. Whatever it is, each command has a
// result or an error, and a walk goes on, ends, or fails; it never asks for ever.
func FuzzReadBatches(f *testing.F) {
	for _, body := range []string{
		`{"result":{"result":{"l1":{"ID":"1","PHONE":{"1":{"ID":"2","VALUE":"+7"}}},"l2":{"ID":"2"}},"result_error":[]},"time":{}}`,
		`{"result":{"result":{"p0":{"1":{"ID":"1"},"0":{"ID":"2"}},"ids":{"3":{"ID":"5"}},"ask":[]},"result_error":{}}}`,
		`{"result":{"result":{"p0":[{"ID":"2147483648"},{"ID":0},{"ID":"x"}],"ask":{}},"result_error":null}}`,
		`{"result":{"result":[],"result_error":{"l1":{"error":"insufficient_scope","error_description":"no"},"l2":{"error":null}}}}`,
		`{"result":{"result":{"p0":false,"l1":null},"result_error":["x"],"result_time":{"p0":[]}},"error":null}`,
		`{"result":{"result":{"0":[{"ID":"1"}]},"result_error":{"0":""}}}`,
		"\ufeffWarning: x {\"result\":{\"result\":{\"p0\":[]}}}", `{"error":"","error_description":"Not found"}`, `false`, ``, `{"result":{"res`,
	} {
		f.Add(200, []byte(body))
	}
	for _, refusal := range []string{
		`{"error":"","error_description":"Nicht gefunden"}`, `{"error":"ERROR_NOT_FOUND","error_description":"<b>Not found</b><br>"}`,
		`{"error":"expired_token"}`, `{"error":"NO_AUTH_FOUND"}`, `{"error":"QUERY_LIMIT_EXCEEDED"}`, `{"error":"","error_description":"Not&nbsp;found"}`,
	} {
		f.Add(200, []byte(`{"result":{"result":{"list":[],"p0":[]},"result_error":{"l1":`+refusal+`,"l2":`+refusal+`,"ask":`+refusal+`}}}`))
		f.Add(401, []byte(refusal))
	}
	f.Add(401, []byte(""))
	f.Add(429, []byte("<html>"))
	f.Add(503, []byte(`{"error":"","error_description":"busy"}`))
	f.Add(502, []byte("<html>"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		commands := []bitrix24.Command{{Key: "l1", Method: "crm.lead.get"}, {Key: "l2", Method: "crm.lead.get"}, {Key: "p0", Method: "crm.lead.list"}}
		batch, err := always(status, body).Batch(t.Context(), commands)
		for _, cmd := range commands {
			if err == nil && batch.Results[cmd.Key] == nil && batch.Errors[cmd.Key] == nil {
				t.Errorf("command %s has neither result nor error", cmd.Key)
			}
		}
		client := always(status, body)
		snaps, err := client.Leads().Read(t.Context(), []int64{1, 2}, draws())
		if err == nil && (len(snaps) != 2 || snaps[0].LeadID != 1 || snaps[1].LeadID != 2) {
			t.Errorf("snapshots %+v", snaps)
		}
		for after, last := int64(0), false; err == nil && !last && client.Requests() < 500; {
			page, failure := client.Leads().Scan(t.Context(), after, draws())
			if err = failure; err == nil && page.UpTo <= after && !page.Last {
				t.Fatalf("a page above %d reaches up to %d", after, page.UpTo)
			}
			for i, s := range page.Snapshots {
				if s.LeadID <= after || s.LeadID > page.UpTo || i > 0 && s.LeadID <= page.Snapshots[i-1].LeadID {
					t.Errorf("lead %d is out of order above %d", s.LeadID, after)
				}
			}
			after, last = page.UpTo, page.Last
		}
	})
}

// always is a portal that gives the same answer to everything; its client does not wait.
func always(status int, body []byte) *bitrix24.Client {
	return bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: emulatortest.PortalURL + "/rest/", Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		HTTP: &http.Client{
			Transport:     roundTripFunc(func(*http.Request) *http.Response { return emulatortest.Response(status, string(body)) }),
			CheckRedirect: bitrix24.NewHTTP().CheckRedirect,
		},
	})
}
