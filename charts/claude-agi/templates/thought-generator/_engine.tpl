{{- /* The Secret with the model's key; empty where the engine is offline. */ -}}
{{- define "claude-agi.engineSecretName" -}}
{{- with .Values.engine -}}
{{- if eq .type "offline" -}}
{{- else if .existingSecret -}}
{{ .existingSecret }}
{{- else if .apiKey -}}
{{ include "claude-agi.fullname" $ }}-engine
{{- end -}}
{{- end -}}
{{- end -}}
