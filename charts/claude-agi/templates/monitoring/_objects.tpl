{{- /* An object's labels and those by which Prometheus or Grafana finds it: takes (dict "root" $
"component" "x" "found" .Values.monitoring.x.labels). */ -}}
{{- define "claude-agi.monitoring.labels" -}}
{{- merge (dict) .found (include "claude-agi.labels" . | fromYaml) | toYaml -}}
{{- end -}}
