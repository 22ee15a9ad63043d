package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"leadsync/leads"
)

// Webhook posts messages as JSON.
type Webhook struct {
	URL leads.Secret
}

const (
	// sendLimit is how long a message may take.
	sendLimit = 15 * time.Second
	// longestAsk is how long a receiver can ask to be left alone.
	longestAsk = time.Hour
)

// webhookClient follows no redirect: a message would arrive as a GET.
var webhookClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Name implements Channel.
func (w *Webhook) Name() string { return "webhook" }

// answerError is an answer that is not a success.
type answerError struct {
	status int
	after  time.Duration
}

func (e answerError) Error() string {
	return fmt.Sprintf("the receiver answered %d %s", e.status, http.StatusText(e.status))
}

// RetryAfter is how long the receiver asks to be left alone; 0 where it does not say.
func (e answerError) RetryAfter() time.Duration { return e.after }

// Send implements Channel. Each attempt carries the same Idempotency-Key.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return errors.New("not an address") // the error has the secret in it
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "leadsync/"+m.Version)
	request.Header.Set("Idempotency-Key", m.Key())
	answer, err := webhookClient.Do(request)
	if err != nil {
		return quiet(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16)) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return answerError{answer.StatusCode, askedFor(answer.Header.Get("Retry-After"))}
	}
	return nil
}

// quiet is an error of net/http without the address of the receiver, which is a secret, and without
// an address that the receiver sent: it may repeat ours.
func quiet(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	if strings.Contains(err.Error(), "Location") || strings.Contains(err.Error(), "://") {
		return errors.New("the receiver's answer is a redirect that cannot be read")
	}
	return err
}

func askedFor(header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, longestAsk)
}
