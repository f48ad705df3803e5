{{- define "claude-agi.thought-generator.env" -}}
{{- $name := include "claude-agi.fullname" . -}}
- name: MEMORY_URL
  value: http://{{ $name }}-memory-service:8080
- name: SAFETY_URL
  value: http://{{ $name }}-safety-validator:8080
{{ include "claude-agi.cacheEnv" . }}
- name: THOUGHT_ENGINE
  value: {{ .Values.engine.type }}
- name: THOUGHT_MODEL
  value: {{ .Values.engine.model | quote }}
- name: THOUGHT_MAX_TOKENS
  value: {{ .Values.engine.maxTokens | quote }}
- name: THOUGHT_STRUCTURED_OUTPUT
  value: {{ ternary "auto" "off" .Values.engine.structuredOutput | quote }}
- name: THOUGHT_PRICES
  value: {{ toJson .Values.engine.prices | quote }}
{{- with include "claude-agi.engineSecretName" . }}
- name: ANTHROPIC_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: api-key
{{- with $.Values.engine.cheaperModel }}
- name: THOUGHT_CHEAPER_MODEL
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.engine.baseUrl }}
- name: ANTHROPIC_BASE_URL
  value: {{ . | quote }}
{{- end }}
- name: STREAMS_ENABLED
  value: {{ .Values.streams.enabled | quote }}
- name: LEASE_SECONDS
  value: {{ .Values.streams.leaseSeconds | quote }}
{{- end -}}
