{{- /* The ConfigMap with a policy of one's own, if there is one. */ -}}
{{- define "claude-agi.safety-validator.policy" -}}
{{- if .Values.safety.policy -}}
{{ include "claude-agi.fullname" . }}-safety-validator-policy
{{- else -}}
{{ .Values.safety.policyConfigMap }}
{{- end -}}
{{- end -}}

{{- define "claude-agi.safety-validator.env" -}}
{{ include "claude-agi.cacheEnv" . }}
{{- with .Values.safety.auditRetentionDays }}
- name: AUDIT_RETENTION_DAYS
  value: {{ int64 . | quote }}
{{- end }}
{{- if include "claude-agi.safety-validator.policy" . }}
- name: POLICY_FILE
  value: /etc/claude-agi/policy/policy.yaml
{{- end }}
{{- with .Values.safety.guard }}
{{- if .url }}
- name: GUARD_URL
  value: {{ .url | quote }}
- name: GUARD_MODEL
  value: {{ .model | quote }}
- name: GUARD_FAMILY
  value: {{ .family }}
- name: GUARD_TIMEOUT_MS
  value: {{ .timeoutMs | quote }}
{{- with .existingSecret }}
- name: GUARD_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: api-key
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
