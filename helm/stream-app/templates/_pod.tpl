{{/* What every pod of the chart has in common. Takes root, component and values (its part of them). */}}

{{- define "stream-app.podSpec" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- with .root.Values.pod.runAsUser }}
  runAsUser: {{ int64 . }}
  {{- end }}
  {{- with .root.Values.pod.runAsGroup }}
  runAsGroup: {{ int64 . }}
  fsGroup: {{ int64 . }}
  {{- end }}
  seccompProfile: {type: RuntimeDefault}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.topologySpread }}
{{- $root := $.root }}
{{- $component := $.component }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ .topologyKey }}
    maxSkew: {{ int .maxSkew }}
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "stream-app.selector" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $component }}
  {{- end }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  {{- if and (eq .component "worker") (eq .values.store.kind "ephemeral") }}
  - name: store
    emptyDir: {sizeLimit: {{ .values.store.size }}}
  {{- end }}
  {{- with include "stream-app.catalogueConfigMap" .root }}
  - name: catalogue
    configMap: {name: {{ $.catalogue | default . }}}
  {{- end }}
  {{- with .root.Values.kafka.tls.caSecret }}
  - name: kafka-ca
    secret: {secretName: {{ . }}}
  {{- end }}
  {{- with .root.Values.kafka.tls.certSecret }}
  - name: kafka-cert
    secret: {secretName: {{ . }}}
  {{- end }}
  {{- if contains "SASL" .root.Values.kafka.securityProtocol }}
  {{- with .root.Values.kafka.sasl }}
  - name: kafka-login
    secret:
      secretName: {{ .existingSecret }}
      items:
        {{- if .oauth.tokenKey }}
        - {key: {{ .oauth.tokenKey }}, path: token}
        {{- else }}
        - {key: {{ .passwordKey }}, path: password}
        {{- end }}
  {{- end }}
  {{- end }}
  {{- if ne .component "topics" }}
  {{- with .root.Values.http.tokenSecret }}
  - name: http-token
    secret:
      secretName: {{ . }}
      items: [{key: {{ $.root.Values.http.tokenKey }}, path: token}]
  {{- end }}
  {{- with .root.Values.http.tlsSecret }}
  - name: http-cert
    secret: {secretName: {{ . }}}
  {{- end }}
  {{- end }}
{{- end }}

{{/* A container without its name, command, ports and probes. */}}
{{- define "stream-app.container" -}}
image: {{ include "stream-app.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
  readOnlyRootFilesystem: true
resources: {{- toYaml .values.resources | nindent 2 }}
env:
  {{- include "stream-app.env" .root | nindent 2 }}
  {{- if ne .component "topics" }}
  {{- include "stream-app.httpEnv" .root | nindent 2 }}
  {{- end }}
  {{- if and (eq .component "worker") .values.staticMembership }}
  - name: STREAM_APP_INSTANCE_ID
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  {{- end }}
  {{- if eq .component "worker" }}
  {{- include "stream-app.tracingEnv" .root | nindent 2 }}
  {{- end }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if and (eq .component "worker") (ne .values.store.kind "none") }}
  - {name: store, mountPath: /var/lib/stream-app}
  {{- end }}
  {{- if include "stream-app.catalogueConfigMap" .root }}
  # The whole folder: a file mounted by subPath would never change.
  - {name: catalogue, mountPath: /etc/stream-app/catalogue, readOnly: true}
  {{- end }}
  {{- if .root.Values.kafka.tls.caSecret }}
  - {name: kafka-ca, mountPath: /etc/stream-app/kafka-ca, readOnly: true}
  {{- end }}
  {{- if .root.Values.kafka.tls.certSecret }}
  - {name: kafka-cert, mountPath: /etc/stream-app/kafka-cert, readOnly: true}
  {{- end }}
  {{- if contains "SASL" .root.Values.kafka.securityProtocol }}
  - {name: kafka-login, mountPath: /etc/stream-app/kafka-login, readOnly: true}
  {{- end }}
  {{- if ne .component "topics" }}
  {{- if .root.Values.http.tokenSecret }}
  - {name: http-token, mountPath: /etc/stream-app/http-token, readOnly: true}
  {{- end }}
  {{- if .root.Values.http.tlsSecret }}
  - {name: http-cert, mountPath: /etc/stream-app/http-cert, readOnly: true}
  {{- end }}
  {{- end }}
{{- end }}

{{- define "stream-app.env" -}}
- {name: STREAM_APP_BOOTSTRAP_SERVERS, value: {{ .Values.kafka.bootstrapServers | quote }}}
- {name: STREAM_APP_SECURITY_PROTOCOL, value: {{ .Values.kafka.securityProtocol }}}
{{- if contains "SASL" .Values.kafka.securityProtocol }}
{{- with .Values.kafka.sasl }}
- {name: STREAM_APP_SASL_MECHANISM, value: {{ .mechanism }}}
{{- if .oauth.tokenKey }}
- {name: STREAM_APP_OAUTH_TOKEN_FILE, value: /etc/stream-app/kafka-login/token}
{{- else }}
- name: STREAM_APP_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .usernameKey }}}}
- {name: STREAM_APP_SASL_PASSWORD_FILE, value: /etc/stream-app/kafka-login/password}
{{- end }}
{{- with .oauth.tokenUrl }}
- {name: STREAM_APP_OAUTH_TOKEN_URL, value: {{ . | quote }}}
{{- end }}
{{- with .oauth.scope }}
- {name: STREAM_APP_OAUTH_SCOPE, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.kafka.tls.caSecret }}
- {name: STREAM_APP_SSL_CAFILE, value: /etc/stream-app/kafka-ca/{{ .Values.kafka.tls.caKey }}}
{{- end }}
{{- if .Values.kafka.tls.certSecret }}
- {name: STREAM_APP_SSL_CERTFILE, value: /etc/stream-app/kafka-cert/tls.crt}
- {name: STREAM_APP_SSL_KEYFILE, value: /etc/stream-app/kafka-cert/tls.key}
{{- with .Values.kafka.tls.keyPasswordKey }}
- {name: STREAM_APP_SSL_KEY_PASSWORD_FILE, value: /etc/stream-app/kafka-cert/{{ . }}}
{{- end }}
{{- end }}
{{- if include "stream-app.catalogueConfigMap" . }}
- {name: STREAM_APP_CATALOG, value: /etc/stream-app/catalogue/{{ .Values.catalogue.key }}}
{{- else }}
- {name: STREAM_APP_CATALOG, value: {{ .Values.catalogue.name | quote }}}
{{- end }}
{{- if ne .Values.worker.store.kind "none" }}
# Told to all, as it belongs to settings.max_resident_users; only workers have the folder.
- {name: STREAM_APP_STATE_DIR, value: /var/lib/stream-app}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{- if not (kindIs "invalid" $value) }}
- {name: STREAM_APP_{{ upper $name }}, value: {{ include "stream-app.text" $value | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "stream-app.httpEnv" -}}
- {name: STREAM_APP_HTTP_HOST, value: "0.0.0.0"}
- {name: STREAM_APP_HTTP_PORT, value: "6066"}
{{- if .Values.http.tokenSecret }}
- {name: STREAM_APP_HTTP_TOKEN_FILE, value: /etc/stream-app/http-token/token}
{{- end }}
{{- if .Values.http.tlsSecret }}
- {name: STREAM_APP_HTTP_CERTFILE, value: /etc/stream-app/http-cert/tls.crt}
- {name: STREAM_APP_HTTP_KEYFILE, value: /etc/stream-app/http-cert/tls.key}
{{- end }}
{{- end }}

{{- define "stream-app.tracingEnv" -}}
{{- with .Values.tracing }}
{{- if .endpoint }}
- {name: STREAM_APP_TRACES, value: otlp}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .endpoint | quote }}}
- {name: OTEL_TRACES_SAMPLER, value: traceidratio}
- {name: OTEL_TRACES_SAMPLER_ARG, value: {{ .share | quote }}}
{{- if .headersSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom: {secretKeyRef: {name: {{ .headersSecret }}, key: {{ .headersKey }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "stream-app.http" -}}
{{- $scheme := ternary "HTTPS" "HTTP" (not (empty .Values.http.tlsSecret)) -}}
ports:
  - {name: http, containerPort: 6066, protocol: TCP}
# Importing takes seconds; nothing else is asked meanwhile.
startupProbe:
  httpGet: {path: /livez, port: http, scheme: {{ $scheme }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: http, scheme: {{ $scheme }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http, scheme: {{ $scheme }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}
