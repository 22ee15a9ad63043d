package handlers_test

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/portals"
)

// parts is a form as curl -F sends it, and its content type.
func parts(tb testing.TB, form string) (contentType, body string) {
	tb.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		tb.Fatal(err)
	}
	var text strings.Builder
	w := multipart.NewWriter(&text)
	for name := range values {
		if err := w.WriteField(name, values.Get(name)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return w.FormDataContentType(), text.String()
}

// Bitrix24 posts forms. What is between it and us may call them anything.
func TestNoContentTypeKeepsACallbackOut(t *testing.T) {
	h := open(t, nil)
	h.installed()
	info := h.portal.Info()
	for i, contentType := range []string{
		"", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8", "application/x-www-form-urlencoded;charset=windows-1251",
		"Application/X-WWW-Form-URLEncoded", "application/x-www-form-urlencoded; charset", "text/plain", "application/octet-stream", "application/json", "nonsense",
		"multipart/form-data; boundary=x", "multipart/form-data", "parts",
	} {
		body := callback("ONCRMLEADUPDATE", info.MemberID, info.ApplicationToken, strconv.Itoa(i+1))
		if contentType == "parts" {
			contentType, body = parts(t, body)
		}
		before := h.messages(events.StreamNotices)
		response, _ := h.send(http.MethodPost, "/bitrix24/events", body, "Content-Type", contentType)
		if response.StatusCode != http.StatusOK || h.messages(events.StreamNotices) != before+1 {
			t.Errorf("%q is answered %d: %s", contentType, response.StatusCode, h.log)
		}
	}
}

// A form in parts may end too early: half an id is another lead's.
func TestAFormInPartsThatIsCutOffIsRefused(t *testing.T) {
	h := open(t, nil)
	h.installed()
	info := h.portal.Info()
	const head = "--x\r\nContent-Disposition: form-data; name=\""
	body := head + "event\"\r\n\r\nONCRMLEADADD\r\n" + head + "auth[member_id]\"\r\n\r\n" + info.MemberID + "\r\n" +
		head + "auth[application_token]\"\r\n\r\n" + info.ApplicationToken + "\r\n" + head + "data[FIELDS][ID]\"\r\n\r\n12"
	if response, _ := h.send(http.MethodPost, "/bitrix24/events", body+"\r\n--x--", "Content-Type", "multipart/form-data; boundary=x"); response.StatusCode != http.StatusOK {
		t.Fatalf("the whole form is answered %d: %s", response.StatusCode, h.log)
	}
	for _, cut := range []string{body, body + "\r\n--x\r\nContent-Disp", strings.TrimSuffix(body, "12")} {
		if response, _ := h.send(http.MethodPost, "/bitrix24/events", cut, "Content-Type", "multipart/form-data; boundary=x"); response.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("answered %d: %s", response.StatusCode, cut)
		}
	}
	if n := h.messages(events.StreamNotices); n != 1 {
		t.Errorf("%d stored", n)
	}
}

// Whether the parser reads JSON is its matter: the door passes it on as it came.
func TestJSONReachesTheParser(t *testing.T) {
	h := open(t, nil)
	h.installed()
	info := h.portal.Info()
	body := fmt.Sprintf(`{"event":"ONCRMLEADADD","note":"100%% [x&y=z","data":{"FIELDS":{"ID":"7"}},"ts":"1766047124",
		"auth":{"domain":"p.bitrix24.ru","member_id":%q,"application_token":%q}}`, info.MemberID, info.ApplicationToken)
	status, stored, astray, lost := http.StatusOK, uint64(1), http.StatusNotFound, int64(1)
	if _, err := bitrix24.ParseCallback(body); err != nil {
		status, stored, lost = http.StatusUnsupportedMediaType, 0, 0
	}
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8"} {
		if response, _ := h.send(http.MethodPost, "/bitrix24/events", body, "Content-Type", contentType); response.StatusCode != status {
			t.Errorf("%s is answered %d, want %d: %s", contentType, response.StatusCode, status, h.log)
		}
	}
	if n := h.messages(events.StreamNotices); n != stored {
		t.Errorf("%d stored, want %d", n, stored)
	}
	if response, _ := h.send(http.MethodPost, "/events", body, "Content-Type", "application/json"); response.StatusCode != astray || h.refused(portals.WrongAddress) != lost {
		t.Errorf("at a wrong address it is answered %d, counted %v", response.StatusCode, h.stats.Refused())
	}
}

func TestBodiesThatAreNoFormHaveTheirReason(t *testing.T) {
	h := open(t, nil)
	for i, test := range []struct{ contentType, body string }{
		{"application/json", `{"a":"secret"}`},
		{"application/json; charset=utf-8", `["secret"]`},
		{"text/xml", "<secret/>"},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=secret\r\n\r\n1\r\n--x--"},
		{"text/" + strings.Repeat("x", 1000), "secret"},
	} {
		response, text := h.send(http.MethodPost, "/bitrix24/events", test.body, "Content-Type", test.contentType)
		if response.StatusCode != http.StatusUnsupportedMediaType || !strings.HasPrefix(text, "This is not the form that Bitrix24 posts. ") || h.refused(portals.NotAForm) != int64(i+1) {
			t.Errorf("%s is answered %d %q, counted %v", test.contentType, response.StatusCode, text, h.stats.Refused())
		}
		h.clock.Advance(30 * time.Second)
	}
	log := h.log.String()
	if n := strings.Count(log, "reason=not_a_form"); n != 3 || !strings.Contains(log, `content type \"application/json\"`) || strings.Contains(log, "secret") {
		t.Errorf("%d lines for three minutes: %s", n, log)
	}
	if !strings.Contains(log, "xxxx") || strings.Contains(log, strings.Repeat("x", 100)) {
		t.Errorf("a long content type is not cut off: %s", log)
	}
}

// A sender that breaks off in the middle has sent no callback, whatever came until then.
func TestABodyThatBreaksOffIsRefused(t *testing.T) {
	h := open(t, nil)
	h.installed()
	info := h.portal.Info()
	whole := callback("ONCRMLEADADD", info.MemberID, info.ApplicationToken, "12")
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/bitrix24/events", io.MultiReader(strings.NewReader(whole), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if got := served(h.server, request); got != http.StatusBadRequest || h.refused(portals.Unparsable) != 1 || h.messages(events.StreamNotices) != 0 {
		t.Errorf("answered %d, counted %v", got, h.stats.Refused())
	}
	if !strings.Contains(h.log.String(), "read the body: unexpected EOF") {
		t.Errorf("the log does not say why: %s", h.log)
	}
}
