package broker

import (
	"strings"
	"text/template"
)

// serviceAccount has the streams. Nobody but leadsync itself is in it, so that nothing that a
// subscriber sends, and no answer of the server to a subscriber, can reach their subjects.
const serviceAccount = "LEADSYNC"

// Streams are those that subscribers may read, without the prefix.
var Streams = []string{"LEADS", "LEADSYNC_STATUS", "LEADSYNC_SCHEMA"}

// accounts is the configuration of the accounts, in the server's own language. The file
// deployments/nats/nats.conf has the same for a server that runs by itself.
//
// Requests about consumers go through leadsync's gate (package gate). Messages and their
// acknowledgements do not: there the server itself compares how a consumer's name begins,
// which its mappings can, though its permissions cannot.
var accounts = template.Must(template.New("accounts").Funcs(template.FuncMap{"account": accountOf, "upper": strings.ToUpper, "length": func(s string) int { return len(s) + 1 }}).Parse(
	`accounts {
  # leadsync alone: its streams, its leases.
  LEADSYNC {
    jetstream: enabled
{{- if .Users}}
    users: [
      {user: leadsync, password: $NATS_LEADSYNC_PASSWORD}
      # for people: leadsync's commands, and the nats command
      {user: operator, password: $NATS_OPERATOR_PASSWORD}
    ]
{{- end}}
{{- if .Subscribers}}
    exports: [
      {stream: "{{$.Subject "leads.>"}}", accounts: {{.Everybody}}}
      {stream: "{{$.Subject "leadsync.status.>"}}", accounts: {{.Everybody}}}
      {stream: "{{$.Subject "leadsync.schema.>"}}", accounts: {{.Everybody}}}
      {service: "$JS.API.INFO", accounts: {{.Everybody}}}
{{- range .Streams}}
      {service: "$JS.API.DIRECT.GET.{{.}}", response_type: stream, accounts: {{$.Everybody}}}
      {service: "$JS.API.DIRECT.GET.{{.}}.>", response_type: stream, accounts: {{$.Everybody}}}
      {service: "$JS.API.CONSUMER.MSG.NEXT.{{.}}.*", response_type: stream, accounts: {{$.Everybody}}}
      {service: "$JS.ACK.{{.}}.*.>", accounts: {{$.Everybody}}}
{{- end}}
{{- range .Subscribers}}
      {service: "{{$.Subject "leadsync.gate"}}.{{.}}.>", accounts: [{{account .}}]}
{{- end}}
    ]
{{- end}}
  }
{{- range $name := .Subscribers}}

  {{account $name}} {
{{- if $.Users}}
    users: [{user: {{$name}}, password: $NATS_{{upper $name}}_PASSWORD}]
{{- end}}
    mappings: {
      "leadsync.own.>": "leadsync.denied.>"
{{- range $stream := $.Streams}}
      "$JS.API.CONSUMER.MSG.NEXT.{{$stream}}.*": "leadsync.own.next.{{$stream}}.{{"{{"}}left(1,{{length $name}}){{"}}"}}.{{"{{"}}wildcard(1){{"}}"}}"
      "$JS.ACK.{{$stream}}.*.>": "leadsync.own.ack.{{$stream}}.{{"{{"}}left(1,{{length $name}}){{"}}"}}.{{"{{"}}wildcard(1){{"}}"}}.>"
{{- end}}
    }
    imports: [
      {stream: {account: LEADSYNC, subject: "{{$.Subject "leads.>"}}"}}
      {stream: {account: LEADSYNC, subject: "{{$.Subject "leadsync.status.>"}}"}}
      {stream: {account: LEADSYNC, subject: "{{$.Subject "leadsync.schema.>"}}"}}
      {service: {account: LEADSYNC, subject: "$JS.API.INFO"}}
{{- range $stream := $.Streams}}
      {service: {account: LEADSYNC, subject: "$JS.API.DIRECT.GET.{{$stream}}"}}
      {service: {account: LEADSYNC, subject: "$JS.API.DIRECT.GET.{{$stream}}.>"}}
{{- range $own := $.Own $name}}
      {service: {account: LEADSYNC, subject: "$JS.API.CONSUMER.MSG.NEXT.{{$stream}}.{{$own.Name}}"}, to: "leadsync.own.next.{{$stream}}.{{$own.Begins}}.{{$own.Name}}"}
      {service: {account: LEADSYNC, subject: "$JS.ACK.{{$stream}}.{{$own.Name}}.>"}, to: "leadsync.own.ack.{{$stream}}.{{$own.Begins}}.{{$own.Name}}.>"}
{{- end}}
{{- end}}
      {service: {account: LEADSYNC, subject: "{{$.Subject "leadsync.gate"}}.{{$name}}.stream.>"}, to: "$JS.API.STREAM.>"}
      {service: {account: LEADSYNC, subject: "{{$.Subject "leadsync.gate"}}.{{$name}}.consumer.>"}, to: "$JS.API.CONSUMER.>"}
    ]
  }
{{- end}}
}
`))

// settings are what the configuration is made of.
type settings struct {
	Prefix      string   // of streams and subjects, as the service has it; "" for none
	Streams     []string // as the server calls them
	Subscribers []string // their names
	Users       bool     // passwords are in the configuration, too
}

// own says which consumers are a subscriber's: how the name begins, and the name.
type own struct{ Begins, Name string }

// Subject is a subject with the prefix.
func (s settings) Subject(subject string) string {
	if s.Prefix == "" {
		return subject
	}
	return s.Prefix + "." + subject
}

// Everybody is the list of the subscribers' accounts: no other account of the server may
// import anything.
func (s settings) Everybody() string {
	var list []string
	for _, name := range s.Subscribers {
		list = append(list, accountOf(name))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// Own returns the consumer billing, and those whose names begin with billing-.
func (settings) Own(name string) []own { return []own{{name + "-", "*"}, {name, name}} }

// Accounts is the part of the configuration of a server that runs by itself, for some
// subscribers, by their names. prefix is that of streams and subjects, "" for none.
func Accounts(prefix string, names ...string) (string, error) { return accountsOf(prefix, names, true) }

// accountsOf is the configuration for some subscribers, by their names. With users each logs
// in with a password from the environment of the server.
func accountsOf(prefix string, names []string, users bool) (string, error) {
	s := settings{Prefix: prefix, Subscribers: names, Users: users}
	for _, stream := range Streams {
		if prefix != "" {
			stream = prefix + "_" + stream
		}
		s.Streams = append(s.Streams, stream)
	}
	var b strings.Builder
	err := accounts.Execute(&b, s)
	return b.String(), err
}
