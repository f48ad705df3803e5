{{- /* What is not as safe as it could be, and the value that changes it, a line each: `what|value`. */ -}}
{{- define "claude-agi.risks" -}}
{{- include "claude-agi.risks.data" . -}}
{{- include "claude-agi.risks.engine" . -}}
{{- include "claude-agi.risks.pods" . -}}
{{- include "claude-agi.risks.outside" . -}}
{{- end -}}

{{- define "claude-agi.risks.data" -}}
{{- with .Values.postgresql -}}
{{- if ne .mode "external" }}
No backup is made by itself|docs/backup.md
{{- end }}
{{- if eq .mode "bundled" }}
PostgreSQL is not highly available: without its node, writes wait|postgresql.mode: cnpg
{{- if .bundled.persistence.keep }}
helm uninstall leaves the volumes and passwords behind|postgresql.bundled.persistence.keep
{{- else }}
helm uninstall removes everything that was remembered|postgresql.bundled.persistence.keep: true
{{- end }}
{{- else if eq .mode "cnpg" }}
{{- if eq (int .cnpg.instances) 1 }}
PostgreSQL is a single server: without its node, nothing answers|postgresql.cnpg.instances: 3
{{- else if not .cnpg.synchronous }}
A failover of PostgreSQL may lose what was just written|postgresql.cnpg.synchronous: true
{{- end }}
{{- if .cnpg.keep }}
helm uninstall leaves the Cluster and passwords behind|postgresql.cnpg.keep
{{- else }}
helm uninstall removes everything that was remembered|postgresql.cnpg.keep: true
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "claude-agi.risks.engine" -}}
{{- if not (include "claude-agi.engineSecretName" .) }}
The engine is offline: thoughts are put together from memories|engine.existingSecret
{{- else if not .Values.engine.existingSecret }}
The model's key is kept in the release|engine.existingSecret
{{- end }}
{{- if not .Values.streams.enabled }}
Nobody thinks by themselves, only on request|streams.enabled: true
{{- end }}
{{- end -}}

{{- define "claude-agi.risks.pods" -}}
{{- $hpa := false -}}
{{- range $key, $values := pick .Values "thoughtGenerator" "memoryService" "safetyValidator" -}}
{{- $scaling := $values.autoscaling -}}
{{- $hpa = or $hpa (eq $scaling.type "hpa") -}}
{{- $fixed := eq $scaling.type "none" -}}
{{- if eq (int (ternary $values.replicas $scaling.minReplicas $fixed)) 1 }}
{{ kebabcase $key }} may have a single pod: without it, nothing answers|{{ $key }}.{{ ternary "replicas" "autoscaling.minReplicas" $fixed }}: 2
{{- end }}
{{- if not $values.podDisruptionBudget.enabled }}
A drain may take all pods of {{ kebabcase $key }} at once|{{ $key }}.podDisruptionBudget.enabled: true
{{- end }}
{{- end }}
{{- if and $hpa (include "claude-agi.live" .) (not (.Capabilities.APIVersions.Has "metrics.k8s.io/v1beta1")) }}
No metrics-server here: the autoscalers stay at minReplicas|install metrics-server
{{- end }}
{{- if and .Values.front.enabled (eq (int .Values.front.replicas) 1) }}
The front is a single pod: without it, nothing answers|front.replicas: 2
{{- end }}
{{- end -}}

{{- define "claude-agi.risks.outside" -}}
{{- if not .Values.networkPolicy.enabled }}
Any pod may call any pod of this release|networkPolicy.enabled: true
{{- else if and (include "claude-agi.engineSecretName" .) (has "0.0.0.0/0" .Values.networkPolicy.engineCidrs) }}
thought-generator may reach any address at port {{ join ", " .Values.networkPolicy.enginePorts }}|networkPolicy.engineCidrs
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.tls) }}
Keys and thoughts pass the Ingress unencrypted|ingress.tls
{{- end }}
{{- if and .Values.front.enabled (ne .Values.front.serviceType "ClusterIP") }}
The front is open to the outside, unencrypted|front.serviceType: ClusterIP
{{- end }}
{{- if not .Values.monitoring.serviceMonitor.enabled }}
Prometheus is not told to watch|monitoring.serviceMonitor.enabled: true
{{- end }}
{{- if not .Values.monitoring.rules.enabled }}
Nobody is alerted|monitoring.rules.enabled: true
{{- end }}
{{- end -}}
