{{- /* How a policy for one component begins. Takes (dict "root" $ "component" "x"). */ -}}
{{- define "claude-agi.policyOf" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "claude-agi.fullname" .root }}-{{ .component }}
  labels:
    {{- include "claude-agi.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "claude-agi.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end -}}

{{- /* Pods of this release. Takes (dict "root" $ "components" (list "x" "y")). */ -}}
{{- define "claude-agi.peers" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
      app.kubernetes.io/name: {{ include "claude-agi.name" .root | quote }}
    matchExpressions:
      - key: app.kubernetes.io/component
        operator: In
        values: {{ toJson .components }}
{{- end -}}

{{- /* Who calls a service: the components given, Prometheus, and the doors that are open. */ -}}
{{- define "claude-agi.serviceIngress" -}}
{{- $policy := .root.Values.networkPolicy -}}
- from:
    {{- include "claude-agi.peers" . | nindent 4 }}
    - namespaceSelector:
        {{- toYaml $policy.prometheusNamespaces | nindent 8 }}
    {{- with $policy.prometheusCidrs }}
    {{- include "claude-agi.addresses" . | nindent 4 }}
    {{- end }}
    {{- if or .root.Values.ingress.enabled .root.Values.httpRoute.enabled }}
    - namespaceSelector:
        {{- toYaml $policy.doorNamespaces | nindent 8 }}
    {{- with $policy.doorCidrs }}
    {{- include "claude-agi.addresses" . | nindent 4 }}
    {{- end }}
    {{- end }}
  ports:
    - port: 8080
{{- end -}}

{{- /* To PostgreSQL, wherever it is. Takes (dict "root" $ "servers" (list "postgresql")), those of
`bundled` that are meant. */ -}}
{{- define "claude-agi.databaseEgress" -}}
{{- $mode := .root.Values.postgresql.mode -}}
{{- if eq $mode "external" -}}
{{ include "claude-agi.externalEgress" .root }}
{{- else -}}
- to:
    {{- if eq $mode "cnpg" }}
    - podSelector:
        matchLabels:
          cnpg.io/cluster: {{ include "claude-agi.fullname" .root }}-postgresql
    {{- else }}
    {{- include "claude-agi.peers" (dict "root" .root "components" .servers) | nindent 4 }}
    {{- end }}
  ports:
    - port: 5432
{{- end -}}
{{- end -}}

{{- define "claude-agi.externalEgress" -}}
- ports:
    {{- include "claude-agi.ports" .Values.networkPolicy.externalPorts | nindent 4 }}
{{- end -}}

{{- define "claude-agi.addresses" -}}
{{- $peers := list -}}
{{- range . -}}
{{- $peers = append $peers (dict "ipBlock" (dict "cidr" .)) -}}
{{- end -}}
{{- toYaml $peers -}}
{{- end -}}

{{- define "claude-agi.ports" -}}
{{- $ports := list -}}
{{- range . -}}
{{- $ports = append $ports (dict "port" .) -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end -}}

{{- /* Where it listens, only the cluster's owner knows. */ -}}
{{- define "claude-agi.kubernetesEgress" -}}
- ports:
    {{- include "claude-agi.ports" .Values.networkPolicy.apiServerPorts | nindent 4 }}
{{- end -}}

{{- define "claude-agi.dnsEgress" -}}
{{- $policy := .Values.networkPolicy -}}
- to:
    - namespaceSelector:
        {{- toYaml $policy.dnsNamespaces | nindent 8 }}
    {{- with $policy.dnsCidrs }}
    {{- include "claude-agi.addresses" . | nindent 4 }}
    {{- end }}
  ports:
    {{- range $policy.dnsPorts }}
    - port: {{ . }}
      protocol: UDP
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- end -}}

{{/* The way to the cache, wherever it is. */}}
{{- define "claude-agi.cacheEgress" -}}
{{- if eq .Values.cache.mode "bundled" -}}
- to:
    {{- include "claude-agi.peers" (dict "root" $ "components" (list "cache")) | nindent 4 }}
  ports:
    - port: 6379
{{- else if ne .Values.postgresql.mode "external" -}}
{{- include "claude-agi.externalEgress" . }}
{{- end -}}
{{- end -}}

{{- /* The port of an address, also one that it does not name. */ -}}
{{- define "claude-agi.portOf" -}}
{{- $url := urlParse . -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "80" "443" (eq $url.scheme "http")) -}}
{{- end -}}

{{- /* The way of spans, to a collector in this cluster or outside of it. */ -}}
{{- define "claude-agi.tracingEgress" -}}
{{- with .Values.tracing.endpoint -}}
- ports:
    - port: {{ include "claude-agi.portOf" . }}
{{- end -}}
{{- end -}}
