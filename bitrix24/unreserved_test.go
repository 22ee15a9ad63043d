package bitrix24_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// A portal that does not reserve events, without saying so, returns the same events until
// they are read destructively.
func TestUnreservedEventsAreReadDestructively(t *testing.T) {
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		if !strings.Contains(r.URL.Path, "batch") {
			_, _ = io.WriteString(w, `{"result":{"value":"Y"},"time":{}}`)
			return
		}
		bodies = append(bodies, string(body))
		_, _ = io.WriteString(w, `{"result":{"result":{"get":{"process_id":null,"events":[{"ID":"1","EVENT_NAME":"ONCRMLEADADD",`+
			`"EVENT_DATA":{"FIELDS":{"ID":"7"}},"MESSAGE_ID":"m"}]}},"result_error":[],"result_time":[]},"time":{}}`)
	}))
	defer server.Close()
	queue, err := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(server.URL + "/rest/")}).Events().OfflineQueue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := queue.Next(t.Context(), leads.OfflineBatch{}); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(bodies[0], "clear=0") || !strings.Contains(bodies[1], "clear=1") || queue.Reserves() {
		t.Errorf("asked for %q", bodies)
	}
}
