{{- define "claude-agi.memory-service.env" -}}
- name: SAFETY_URL
  value: http://{{ include "claude-agi.fullname" . }}-safety-validator:8080
{{- end -}}
