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
  {{- with include "stream-app.catalogueConfigMap" .root }}
  - name: catalogue
    configMap: {name: {{ $.catalogue | default . }}}
  {{- end }}
  {{- with .root.Values.kafka.tls.caSecret }}
  - name: kafka-ca
    secret: {secretName: {{ . }}}
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
env: {{- include "stream-app.env" .root | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if include "stream-app.catalogueConfigMap" .root }}
  # The whole folder: a file mounted by subPath would never change.
  - {name: catalogue, mountPath: /etc/stream-app/catalogue, readOnly: true}
  {{- end }}
  {{- if .root.Values.kafka.tls.caSecret }}
  - {name: kafka-ca, mountPath: /etc/stream-app/kafka-ca, readOnly: true}
  {{- end }}
{{- end }}

{{- define "stream-app.env" -}}
- {name: STREAM_APP_BOOTSTRAP_SERVERS, value: {{ .Values.kafka.bootstrapServers | quote }}}
- {name: STREAM_APP_SECURITY_PROTOCOL, value: {{ .Values.kafka.securityProtocol }}}
{{- if contains "SASL" .Values.kafka.securityProtocol }}
{{- with .Values.kafka.sasl }}
- {name: STREAM_APP_SASL_MECHANISM, value: {{ .mechanism }}}
- name: STREAM_APP_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .usernameKey }}}}
- name: STREAM_APP_SASL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .passwordKey }}}}
{{- end }}
{{- end }}
{{- if .Values.kafka.tls.caSecret }}
- {name: STREAM_APP_SSL_CAFILE, value: /etc/stream-app/kafka-ca/{{ .Values.kafka.tls.caKey }}}
{{- end }}
{{- if include "stream-app.catalogueConfigMap" . }}
- {name: STREAM_APP_CATALOG, value: /etc/stream-app/catalogue/{{ .Values.catalogue.key }}}
{{- else }}
- {name: STREAM_APP_CATALOG, value: {{ .Values.catalogue.name | quote }}}
{{- end }}
- {name: STREAM_APP_HTTP_HOST, value: "0.0.0.0"}
- {name: STREAM_APP_HTTP_PORT, value: "6066"}
{{- range $name, $value := .Values.settings }}
{{- if not (kindIs "invalid" $value) }}
- {name: STREAM_APP_{{ upper $name }}, value: {{ include "stream-app.text" $value | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "stream-app.http" -}}
ports:
  - {name: http, containerPort: 6066, protocol: TCP}
# Importing takes seconds; nothing else is asked meanwhile.
startupProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}
