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
    {{- if or .root.Values.ingress.enabled .root.Values.httpRoute.enabled }}
    - namespaceSelector:
        {{- toYaml $policy.doorNamespaces | nindent 8 }}
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
    {{- range .Values.networkPolicy.externalPorts }}
    - port: {{ . }}
    {{- end }}
{{- end -}}

{{- /* Where it listens, only the cluster's owner knows. */ -}}
{{- define "claude-agi.kubernetesEgress" -}}
- ports:
    - port: 443
    - port: 6443
{{- end -}}

{{- /* The cluster's DNS, also as NodeLocal DNSCache. */ -}}
{{- define "claude-agi.dnsEgress" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
      podSelector:
        matchLabels:
          k8s-app: kube-dns
    - ipBlock:
        cidr: 169.254.20.10/32
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}
