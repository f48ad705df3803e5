{{- /* What a Deployment, a Service and a policy select by; fixed for the release's life.
Takes (dict "root" $ "component" "x"), as all of these. */ -}}
{{- define "claude-agi.selectorLabels" -}}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/name: {{ include "claude-agi.name" .root | quote }}
{{- end -}}

{{- /* For every object. */ -}}
{{- define "claude-agi.labels" -}}
{{- $labels := include "claude-agi.selectorLabels" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "claude-agi" -}}
{{- $_ := set $labels "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (include "claude-agi.chart" .root) -}}
{{- merge $labels .root.Values.commonLabels | toYaml -}}
{{- end -}}

{{- /* For pods: without versions, so that a new chart alone restarts nothing. May be given
"extra", more labels. */ -}}
{{- define "claude-agi.podLabels" -}}
{{- $labels := include "claude-agi.selectorLabels" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "claude-agi" -}}
{{- merge $labels (default dict .extra) .root.Values.commonLabels | toYaml -}}
{{- end -}}
