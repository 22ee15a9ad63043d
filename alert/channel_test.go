package alert_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/alert"
	"leadsync/leads"
	"leadsync/retry"
)

var message = alert.Message{
	ID: "4711", Status: alert.Firing, Component: "database", Reason: "unavailable", Since: time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC),
	Instance: "box", Version: "v1", Text: "leadsync on box: problem: database since …: unavailable",
}

// The webhook gets JSON, an answer that is no success is an error, and no error has the secret of
// the address in it.
func TestWebhookPostsJSON(t *testing.T) {
	var got map[string]any
	var key, kind string
	status, location := http.StatusNoContent, "/elsewhere"
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, kind = r.Header.Get("Idempotency-Key"), r.Header.Get("Content-Type")
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	}))
	defer target.Close()
	hook := &alert.Webhook{URL: leads.Secret(target.URL + "/services/SECRET")}
	if err := hook.Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if got["component"] != "database" || got["status"] != "firing" || got["until"] != nil || got["since"] != "2026-11-26T10:00:00Z" || key != "4711-firing" || kind != "application/json" {
		t.Errorf("posted %v, key %q, %q", got, key, kind)
	}
	for _, status = range []int{http.StatusFound, http.StatusTooManyRequests, http.StatusInternalServerError} {
		err := hook.Send(t.Context(), message)
		if err == nil || !strings.Contains(err.Error(), strconv.Itoa(status)) || strings.Contains(err.Error(), "SECRET") || retry.After(err) != 7*time.Second {
			t.Errorf("answer %d: %v, again after %s", status, err, retry.After(err))
		}
	}
	status, location = http.StatusTemporaryRedirect, "http://["+target.URL+"/services/SECRET" // no address
	if err := hook.Send(t.Context(), message); err == nil || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "redirect") {
		t.Errorf("a redirect that cannot be read: %v", err)
	}
	target.Close()
	if err := hook.Send(t.Context(), message); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("nobody listens: %v", err)
	}
}

// mailServer takes one letter after another and hands them over.
func mailServer(t *testing.T) (address string, letters <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	out := make(chan string, 4)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			out <- takeLetter(conn)
		}
	}()
	return listener.Addr().String(), out
}

// takeLetter speaks as much SMTP as a client needs.
func takeLetter(conn net.Conn) (letter string) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	fmt.Fprint(conn, "220 test\r\n")
	for lines.Scan() {
		line := lines.Text()
		letter += line + "\n"
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
		case "EHLO":
			fmt.Fprint(conn, "250-test\r\n250 8BITMIME\r\n")
		case "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			for lines.Scan() && lines.Text() != "." {
				letter += lines.Text() + "\n" //nolint:perfsprint // a few lines
			}
			fmt.Fprint(conn, "250 taken\r\n")
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return letter
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
	return letter
}

// The letter that a problem is over answers the one that it began.
func TestMailIsSentAndAnswered(t *testing.T) {
	address, letters := mailServer(t)
	post := &alert.Mail{Server: leads.Secret("smtp://" + address), From: "leadsync <leadsync@example.com>", To: []string{"a@example.com", "b@example.com"}}
	if err := post.Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	letter := <-letters
	for _, want := range []string{
		"MAIL FROM:<leadsync@example.com>", "RCPT TO:<a@example.com>", "RCPT TO:<b@example.com>", "Subject: leadsync on box: problem: database",
		"Message-ID: <4711-firing@example.com>", "unavailable",
	} {
		if !strings.Contains(letter, want) {
			t.Errorf("the letter lacks %q:\n%s", want, letter)
		}
	}
	over := message
	over.Status = alert.Resolved
	if err := post.Send(t.Context(), over); err != nil {
		t.Fatal(err)
	}
	if letter := <-letters; !strings.Contains(letter, "In-Reply-To: <4711-firing@example.com>") || !strings.Contains(letter, "resolved: database") {
		t.Errorf("the second letter:\n%s", letter)
	}
}

func TestAddressesAreChecked(t *testing.T) {
	for address, ok := range map[string]bool{
		"smtp://mail.example.com": true, "smtps://u:p@mail.example.com:465": true, "mail.example.com:25": false, "https://mail.example.com": false,
		"smtp://": false, "smtp://mail.example.com:99999": false, "smtp://mail.example.com/inbox": false,
	} {
		if err := alert.CheckSMTP(address); (err == nil) != ok {
			t.Errorf("mail server %s: %v", address, err)
		}
	}
	for address, ok := range map[string]bool{"https://chat.example.com/hook?x=1": true, "http://10.0.0.1:9000/x": true, "chat.example.com": false, "ftp://x/y": false, "https://": false} {
		if err := alert.CheckWebhook(address); (err == nil) != ok {
			t.Errorf("webhook %s: %v", address, err)
		}
	}
}
