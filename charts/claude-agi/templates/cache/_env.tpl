{{/* Where the shared cache is, for the services that use it. */}}
{{- define "claude-agi.cacheEnv" -}}
- name: REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "claude-agi.internalSecretName" . }}
      key: cache-url-{{ include "claude-agi.addressesHash" . }}
{{- end -}}
