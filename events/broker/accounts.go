package broker

import (
	"strings"
	"text/template"
)

// serviceAccount has the streams. Nobody but leadsync itself is in it, so that nothing that a
// subscriber sends, and no answer of the server to a subscriber, can reach their subjects.
const serviceAccount = "LEADSYNC"

// accounts is the configuration of the accounts, in the server's own language. The file
// deployments/nats/nats.conf has the same for a server that runs by itself.
var accounts = template.Must(template.New("accounts").Funcs(template.FuncMap{"account": accountOf}).Parse(`accounts {
  # leadsync alone: its streams, its leases.
  LEADSYNC {
    jetstream: enabled
    exports: [
      {stream: "leads.>"}
      {stream: "leadsync.status.>"}
      {stream: "leadsync.schema.>"}
      {service: "$JS.API.INFO"}
{{- range $stream := .Streams}}
      {service: "$JS.API.STREAM.INFO.{{$stream}}"}
      {service: "$JS.API.STREAM.MSG.GET.{{$stream}}"}
      {service: "$JS.API.DIRECT.GET.{{$stream}}", response_type: stream}
      {service: "$JS.API.DIRECT.GET.{{$stream}}.>", response_type: stream}
{{- end}}
{{- range .Subscribers}}
      {service: "leadsync.gate.{{.}}.>", response_type: stream, accounts: [{{account .}}]}
{{- end}}
    ]
  }
{{- range $name := .Subscribers}}
  {{account $name}} {
    imports: [
      {stream: {account: LEADSYNC, subject: "leads.>"}}
      {stream: {account: LEADSYNC, subject: "leadsync.status.>"}}
      {stream: {account: LEADSYNC, subject: "leadsync.schema.>"}}
      {service: {account: LEADSYNC, subject: "$JS.API.INFO"}}
{{- range $stream := $.Streams}}
      {service: {account: LEADSYNC, subject: "$JS.API.STREAM.INFO.{{$stream}}"}}
      {service: {account: LEADSYNC, subject: "$JS.API.STREAM.MSG.GET.{{$stream}}"}}
      {service: {account: LEADSYNC, subject: "$JS.API.DIRECT.GET.{{$stream}}"}}
      {service: {account: LEADSYNC, subject: "$JS.API.DIRECT.GET.{{$stream}}.>"}}
{{- end}}
      # leadsync checks the names of consumers before the server sees the request.
      {service: {account: LEADSYNC, subject: "leadsync.gate.{{$name}}.stream.>"}, to: "$JS.API.STREAM.>"}
      {service: {account: LEADSYNC, subject: "leadsync.gate.{{$name}}.consumer.>"}, to: "$JS.API.CONSUMER.>"}
      {service: {account: LEADSYNC, subject: "leadsync.gate.{{$name}}.ack.>"}, to: "$JS.ACK.>"}
      {service: {account: LEADSYNC, subject: "leadsync.gate.{{$name}}.fc.>"}, to: "$JS.FC.>"}
    ]
  }
{{- end}}
}
`))

// Streams are those that subscribers may read.
var Streams = []string{"LEADS", "LEADSYNC_STATUS", "LEADSYNC_SCHEMA"}

// accountsOf is the configuration for some subscribers.
func accountsOf(subscribers []Subscriber) (string, error) {
	names := make([]string, len(subscribers))
	for i, s := range subscribers {
		names[i] = s.Name
	}
	var b strings.Builder
	err := accounts.Execute(&b, struct {
		Streams     []string
		Subscribers []string
	}{Streams, names})
	return b.String(), err
}
