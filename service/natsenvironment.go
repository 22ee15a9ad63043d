package service

import (
	"net/url"
	"os"
	"strconv"
	"strings"

	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/leads"
)

func readNATSURL(e *environment, name string) string {
	value := e.text(name)
	if value == Embedded {
		return value
	}
	for server := range strings.SplitSeq(value, ",") {
		if u, err := url.Parse(strings.TrimSpace(server)); err != nil || u.Host == "" || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" || (u.Scheme != "nats" && u.Scheme != "tls") {
			e.fault(name, "not a NATS address", `"embedded", or nats://host:4222, several separated by commas; the password belongs into LEADSYNC_NATS_PASSWORD, or its special characters are %-encoded`)
			break
		}
	}
	return value
}

// natsLogin reads how to log in to NATS, by one way.
func natsLogin(e *environment) NATSLogin {
	login := NATSLogin{
		Token: leads.Secret(e.text("LEADSYNC_NATS_TOKEN")), User: e.text("LEADSYNC_NATS_USER"),
		Password: leads.Secret(e.text("LEADSYNC_NATS_PASSWORD")), Creds: e.file("LEADSYNC_NATS_CREDS"),
		NKey: e.file("LEADSYNC_NATS_NKEY"), CA: e.file("LEADSYNC_NATS_CA"), Cert: e.file("LEADSYNC_NATS_CERT"), Key: e.file("LEADSYNC_NATS_KEY"),
	}
	ways := 0
	for _, set := range []bool{login.Token != "", login.User != "", login.Creds != "", login.NKey != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		e.fault("LEADSYNC_NATS_TOKEN", "one of several ways to log in", "only one of LEADSYNC_NATS_TOKEN, LEADSYNC_NATS_USER, LEADSYNC_NATS_CREDS and LEADSYNC_NATS_NKEY", "LEADSYNC_NATS_USER", "LEADSYNC_NATS_CREDS")
	}
	if (login.User == "") != (login.Password == "") {
		e.fault("LEADSYNC_NATS_USER", "set without LEADSYNC_NATS_PASSWORD, or the other way round", "both or neither", "LEADSYNC_NATS_PASSWORD")
	}
	if (login.Cert == "") != (login.Key == "") {
		e.fault("LEADSYNC_NATS_CERT", "set without LEADSYNC_NATS_KEY, or the other way round", "both, a certificate and its key, or neither", "LEADSYNC_NATS_KEY")
	}
	return login
}

// readSubscribers reads name:token, several with commas between them, or the name of a file
// with one on each line.
func readSubscribers(e *environment, name string) []broker.Subscriber {
	const should = "name:token, several with commas between them, or @ and the name of a file with one on each line; names of lower-case letters and digits, tokens of at least 16 characters"
	value := e.text(name)
	path, inFile := strings.CutPrefix(value, "@")
	if inFile {
		data, err := os.ReadFile(path) //nolint:gosec // the operator names it
		if err != nil {
			e.fault(name, "the file cannot be read", should)
			return nil
		}
		value = string(data)
	}
	var list []broker.Subscriber
	names, tokens := map[string]bool{}, map[string]bool{}
	for i, line := range strings.Split(value, "\n") {
		for item := range strings.SplitSeq(line, ",") {
			if item = strings.TrimSpace(item); item == "" || strings.HasPrefix(item, "#") {
				continue
			}
			subscriber, token, _ := strings.Cut(item, ":")
			if !broker.ValidName(subscriber) || len(token) < shortestToken || names[subscriber] || tokens[token] {
				wrong := "an entry is not a subscriber, or a name or a token is there twice"
				if inFile {
					wrong += " (" + path + ":" + strconv.Itoa(i+1) + ")"
				}
				e.fault(name, wrong, should)
				return nil
			}
			names[subscriber], tokens[token] = true, true
			list = append(list, broker.Subscriber{Name: subscriber, Token: token})
		}
	}
	return list
}

func readNATSPrefix(e *environment, name string) string {
	value := e.text(name)
	if value != "" && !events.ValidPrefix(value) {
		e.fault(name, "not a prefix", "up to 32 lower-case letters, digits and hyphens, a letter first, such as berlin")
	}
	return value
}

func readReplicas(e *environment, name string) int {
	value := e.text(name)
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 5 {
		e.fault(name, "not a number of replicas", "1 on a single NATS server, 3 on a cluster")
	}
	return n
}
