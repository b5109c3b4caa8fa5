{{- define "stream-app.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "stream-app.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "stream-app.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "stream-app.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "stream-app.selector" -}}
app.kubernetes.io/name: {{ include "stream-app.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "stream-app.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "stream-app.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Made before the release: by Helm as a hook, and gone when the hook is done. Takes a weight. */}}
{{- define "stream-app.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- define "stream-app.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "stream-app.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "stream-app.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The name of the ConfigMap that holds the catalogue; empty where one that ships is used. */}}
{{- define "stream-app.catalogueConfigMap" -}}
{{- if .Values.catalogue.existingConfigMap }}
{{- .Values.catalogue.existingConfigMap }}
{{- else if .Values.catalogue.inline }}
{{- printf "%s-catalogue" (include "stream-app.fullname" .) }}
{{- end }}
{{- end }}

{{/* Helm reads every number as a float, and would write large ones as 1.6e+07. */}}
{{- define "stream-app.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* Longer than the program needs at most: twice the drain timeout, and two seconds for HTTP. */}}
{{- define "stream-app.graceSeconds" -}}
{{- add 10 (ceil (mulf 2.0 (default 10.0 .Values.settings.drain_timeout_s))) }}
{{- end }}

{{- define "stream-app.maxReplicas" -}}
{{- $partitions := int .Values.settings.partitions }}
{{- $most := int (default $partitions .Values.autoscaling.maxReplicas) }}
{{- if gt $most $partitions }}
{{- fail (printf "autoscaling.maxReplicas %d is more than settings.partitions %d: the others would have nothing to do" $most $partitions) }}
{{- end }}
{{- if gt (int .Values.autoscaling.minReplicas) $most }}
{{- fail (printf "autoscaling.minReplicas %d is more than the most that there may be, %d" (int .Values.autoscaling.minReplicas) $most) }}
{{- end }}
{{- $most }}
{{- end }}

{{- define "stream-app.kafkaPorts" -}}
{{- $ports := list }}
{{- range splitList "," .Values.kafka.bootstrapServers }}
{{- $ports = append $ports (splitList ":" . | last | int) }}
{{- end }}
{{- range .Values.networkPolicy.kafkaPorts }}
{{- $ports = append $ports (int .) }}
{{- end }}
{{- $ports | uniq | toJson }}
{{- end }}

{{/* What the schema cannot say. */}}
{{- define "stream-app.check" -}}
{{- $kafka := .Values.kafka }}
{{- if and (contains "SASL" $kafka.securityProtocol) (not $kafka.sasl.existingSecret) }}
{{- fail (printf "kafka.securityProtocol %s needs kafka.sasl.existingSecret, a Secret with user and password" $kafka.securityProtocol) }}
{{- end }}
{{- $oauth := $kafka.sasl.oauth }}
{{- if and (contains "SASL" $kafka.securityProtocol) (eq $kafka.sasl.mechanism "OAUTHBEARER") }}
{{- if eq (empty $oauth.tokenUrl) (empty $oauth.tokenKey) }}
{{- fail "kafka.sasl.mechanism OAUTHBEARER needs either kafka.sasl.oauth.tokenUrl or kafka.sasl.oauth.tokenKey" }}
{{- end }}
{{- if and $oauth.tokenUrl .Values.networkPolicy.enabled (not .Values.networkPolicy.extraEgress) }}
{{- fail "kafka.sasl.oauth.tokenUrl has to be allowed in networkPolicy.extraEgress" }}
{{- end }}
{{- if and $oauth.tokenKey (eq .Values.autoscaling.kind "keda") }}
{{- fail "autoscaling.kind keda cannot log in with kafka.sasl.oauth.tokenKey: use kafka.sasl.oauth.tokenUrl, or hpa" }}
{{- end }}
{{- else if or $oauth.tokenUrl $oauth.tokenKey }}
{{- fail "kafka.sasl.oauth has no use unless a SASL protocol has kafka.sasl.mechanism OAUTHBEARER" }}
{{- end }}
{{- if and $kafka.tls.certSecret (not (contains "SSL" $kafka.securityProtocol)) }}
{{- fail (printf "kafka.tls.certSecret has no use with kafka.securityProtocol %s" $kafka.securityProtocol) }}
{{- end }}
{{- if and (eq $kafka.securityProtocol "SASL_PLAINTEXT") (not .Values.settings.allow_sasl_plaintext) }}
{{- fail "SASL_PLAINTEXT would send the login unencrypted: use SASL_SSL, or set settings.allow_sasl_plaintext" }}
{{- end }}
{{- if and $kafka.tls.caSecret (not (contains "SSL" $kafka.securityProtocol)) }}
{{- fail (printf "kafka.tls.caSecret has no use with kafka.securityProtocol %s" $kafka.securityProtocol) }}
{{- end }}
{{- if and .Values.settings.max_resident_users (eq .Values.worker.store.kind "none") }}
{{- fail "settings.max_resident_users needs worker.store.kind: where the other profiles wait" }}
{{- end }}
{{- if and (not .Values.settings.max_resident_users) (ne .Values.worker.store.kind "none") }}
{{- fail "worker.store has no use without settings.max_resident_users" }}
{{- end }}
{{- if and .Values.catalogue.inline .Values.catalogue.existingConfigMap }}
{{- fail "catalogue.inline and catalogue.existingConfigMap cannot both be given" }}
{{- end }}
{{- if .Values.catalogue.inline }}
{{- $parsed := fromYaml .Values.catalogue.inline }}
{{- if hasKey $parsed "Error" }}
{{- fail (printf "catalogue.inline is no YAML: %s" (get $parsed "Error")) }}
{{- end }}
{{- if and .Values.trainer.enabled (not (hasKey $parsed "learning")) }}
{{- fail "catalogue.inline declares no learning: set trainer.enabled to false, or add a section `learning:`" }}
{{- end }}
{{- end }}
{{- if and (ne .Values.monitoring.scrape "none") .Values.networkPolicy.enabled (not .Values.networkPolicy.metricsFrom) }}
{{- fail "monitoring.scrape needs networkPolicy.metricsFrom: which pods may read /metrics (those of Prometheus)" }}
{{- end }}
{{- end }}
