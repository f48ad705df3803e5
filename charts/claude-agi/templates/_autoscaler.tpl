{{- /* An HPA or a ScaledObject; takes what `claude-agi.serviceDeployment` takes. */ -}}
{{- define "claude-agi.serviceAutoscaler" -}}
{{- $type := .values.autoscaling.type -}}
{{- if eq $type "hpa" -}}
{{- include "claude-agi.hpa" . -}}
{{- else if eq $type "keda" -}}
{{- include "claude-agi.scaledObject" . -}}
{{- end -}}
{{- end -}}

{{- define "claude-agi.hpa" -}}
{{- $name := printf "%s-%s" (include "claude-agi.fullname" .root) .component -}}
{{- $scaling := .values.autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels:
    {{- include "claude-agi.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $name }}
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
    {{- range $resource, $target := dict "cpu" $scaling.targetCpu "memory" $scaling.targetMemory }}
    {{- if $target }}
    # Of the service's own container: a sidecar's use says nothing about it.
    - type: ContainerResource
      containerResource:
        name: {{ $resource }}
        container: {{ $.component }}
        target:
          type: Utilization
          averageUtilization: {{ $target }}
    {{- end }}
    {{- end }}
  behavior:
    {{- toYaml $scaling.behavior | nindent 4 }}
{{- end -}}

{{- /* Beside CPU and memory, what they do not show: work that waits. */ -}}
{{- define "claude-agi.scaledObject" -}}
{{- $name := printf "%s-%s" (include "claude-agi.fullname" .root) .component -}}
{{- $scaling := .values.autoscaling -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ $name }}
  labels:
    {{- include "claude-agi.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $name }}
  minReplicaCount: {{ $scaling.minReplicas }}
  maxReplicaCount: {{ $scaling.maxReplicas }}
  fallback:
    failureThreshold: 3
    replicas: {{ $scaling.keda.fallbackReplicas }}
    # Prometheus' silence is no reason to take pods away.
    behavior: currentReplicasIfHigher
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        {{- toYaml $scaling.behavior | nindent 8 }}
  triggers:
    - type: prometheus
      metadata:
        serverAddress: {{ $scaling.keda.serverAddress | quote }}
        query: {{ $scaling.keda.query | default (include "claude-agi.kedaQuery" .) | quote }}
        threshold: {{ $scaling.keda.threshold | quote }}
    {{- range $resource, $target := dict "cpu" $scaling.targetCpu "memory" $scaling.targetMemory }}
    {{- if $target }}
    - type: {{ $resource }}
      metricType: Utilization
      metadata:
        containerName: {{ $.component }}
        value: {{ $target | quote }}
    {{- end }}
    {{- end }}
{{- end -}}

{{- /* What waits for the model, or how many requests are under way at once: the seconds they took
per second, without those that only carry much. */ -}}
{{- define "claude-agi.kedaQuery" -}}
{{- $pods := printf `namespace="%s",pod=~"%s-%s-.+"` .root.Release.Namespace (include "claude-agi.fullname" .root) .component -}}
{{- if eq .component "thought-generator" -}}
sum(claude_agi_thoughts_waiting{ {{- $pods -}} })
{{- else -}}
sum(rate(claude_agi_http_request_seconds_sum{ {{- $pods -}} ,route!~"/api/memory/(import|export)|/mcp"}[1m]))
{{- end -}}
{{- end -}}
