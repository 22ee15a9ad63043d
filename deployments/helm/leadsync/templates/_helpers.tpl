{{- define "leadsync.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "leadsync.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "leadsync.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "leadsync.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "leadsync.selector" -}}
app.kubernetes.io/name: {{ include "leadsync.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "leadsync.labels" -}}
{{ include "leadsync.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "leadsync.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "leadsync.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "leadsync.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Whether NATS runs inside leadsync; empty is no. */}}
{{- define "leadsync.embedded" -}}
{{- $keys := ternary .Values.secrets.keys (list) (ne .Values.secrets.existingSecret "") -}}
{{- $url := get .Values.settings "LEADSYNC_NATS_URL" -}}
{{- if and (not (has "LEADSYNC_NATS_URL" $keys)) (or (not $url) (eq $url "embedded")) -}}yes{{- end -}}
{{- end -}}

{{/* What cannot work is said before anything is installed. */}}
{{- define "leadsync.check" -}}
{{- $keys := ternary .Values.secrets.keys (list) (ne .Values.secrets.existingSecret "") -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- if include "leadsync.embedded" . -}}
{{- fail "replicas: more than 1 with the embedded NATS server, want LEADSYNC_NATS_URL in settings" -}}
{{- end -}}
{{- range list "LEADSYNC_DATABASE_URL" "LEADSYNC_SECRET_KEY" "LEADSYNC_API_TOKEN" "LEADSYNC_OPERATOR_TOKEN" "LEADSYNC_CARD_TOKEN" -}}
{{- if not (has . $keys) -}}
{{- fail (printf "replicas: more than 1 without %s, want secrets.existingSecret to name a Secret with it, and secrets.keys to list it: all replicas need the same" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $keys -}}
{{- if hasKey $.Values.settings . -}}
{{- fail (printf "settings.%s: set beside the same key of the Secret, want it in one place" .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.publicAPI (ne (get .Values.settings "LEADSYNC_PUBLIC_API") "on") -}}
{{- fail "ingress.publicAPI: true while settings.LEADSYNC_PUBLIC_API is not \"on\", want both" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host: missing, want the host name in LEADSYNC_PUBLIC_URL" -}}
{{- end -}}
{{- if and .Values.adminIngress.enabled (or (not .Values.adminIngress.host) (eq .Values.adminIngress.host .Values.ingress.host)) -}}
{{- fail "adminIngress.host: missing or the same as ingress.host, want a name of its own" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not (has "LEADSYNC_API_TOKEN" $keys)) -}}
{{- fail "serviceMonitor.enabled: true without LEADSYNC_API_TOKEN in the Secret, want secrets.existingSecret and the key: Prometheus needs the token" -}}
{{- end -}}
{{- if and .Values.embeddedNATS.expose (not (include "leadsync.embedded" .)) -}}
{{- fail "embeddedNATS.expose: true beside LEADSYNC_NATS_URL, want one of them" -}}
{{- end -}}
{{- end -}}
