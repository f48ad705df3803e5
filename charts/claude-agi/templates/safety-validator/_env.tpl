{{- define "claude-agi.safety-validator.env" -}}
{{- if .Values.safety.policy -}}
- name: POLICY_FILE
  value: /etc/claude-agi/policy/policy.yaml
{{- end -}}
{{- end -}}
