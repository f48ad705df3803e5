{{- define "claude-agi.memory-service.env" -}}
- name: SAFETY_URL
  value: http://{{ include "claude-agi.fullname" . }}-safety-validator:8080
- name: INDEX_DIR
  value: /var/lib/claude-agi/index
{{ include "claude-agi.cacheEnv" . }}
{{- with .Values.memory }}
{{- if .capacity }}
- name: MEMORY_CAPACITY
  value: {{ int64 .capacity | quote }}
{{- end }}
- name: MEMORY_RETENTION_MONTHS
  value: {{ int64 .retentionMonths | quote }}
{{- if .milvus.uri }}
- name: VECTOR_STORE
  value: milvus
- name: MILVUS_URI
  value: {{ .milvus.uri }}
- name: MILVUS_COLLECTION
  value: {{ .milvus.collection }}
{{- with .milvus.existingSecret }}
- name: MILVUS_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: token
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
