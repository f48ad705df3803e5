{{- define "claude-agi.internalSecretName" -}}
{{ include "claude-agi.fullname" . }}-internal
{{- end -}}

{{- define "claude-agi.apiKeysSecretName" -}}
{{- default (printf "%s-api-keys" (include "claude-agi.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{- /* Where the servers of `bundled` and `cnpg` answer; empty for `external`. */ -}}
{{- define "claude-agi.databaseHost" -}}
{{- $name := printf "%s-postgresql" (include "claude-agi.fullname" .) -}}
{{- if eq .Values.postgresql.mode "bundled" -}}
{{ $name }}:5432
{{- else if eq .Values.postgresql.mode "cnpg" -}}
{{ $name }}-rw:5432
{{- end -}}
{{- end -}}

{{- /* The same for reads; empty where no server is there for them alone. */ -}}
{{- define "claude-agi.databaseReadHost" -}}
{{- $name := printf "%s-postgresql" (include "claude-agi.fullname" .) -}}
{{- if and (eq .Values.postgresql.mode "bundled") .Values.postgresql.bundled.replicas -}}
{{ $name }}-ro:5432
{{- else if eq .Values.postgresql.mode "cnpg" -}}
{{- /* With one server, -ro has no endpoints. */ -}}
{{ $name }}-{{ ternary "ro" "rw" (gt (int .Values.postgresql.cnpg.instances) 1) }}:5432
{{- end -}}
{{- end -}}

{{- /* A service's own DSNs. Takes (dict "root" $ "role" "thinking"). */ -}}
{{- define "claude-agi.databaseEnv" -}}
{{- $secret := include "claude-agi.internalSecretName" .root -}}
{{ include "claude-agi.databaseWriteEnv" . }}
- name: DATABASE_REPLICA_URL
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ .role }}-replica-url
      optional: true
- name: DATABASE_DIRECT_URL
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ .role }}-direct-url
      optional: true
{{- end -}}

{{- /* For those that only write, such as migrations. */ -}}
{{- define "claude-agi.databaseWriteEnv" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "claude-agi.internalSecretName" .root }}
      key: {{ .role }}-url
{{- end -}}

{{- /* The DSN of whoever may create roles. */ -}}
{{- define "claude-agi.adminDatabaseEnv" -}}
{{- if eq .Values.postgresql.mode "bundled" -}}
- name: POSTGRES_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "claude-agi.internalSecretName" . }}
      key: postgres-password
- name: ADMIN_DSN
  value: postgresql://postgres:$(POSTGRES_PASSWORD)@{{ include "claude-agi.databaseHost" . }}/{{ .Values.postgresql.database }}
{{- else -}}
- name: ADMIN_DSN
  valueFrom:
    secretKeyRef:
      {{- if eq .Values.postgresql.mode "cnpg" }}
      name: {{ include "claude-agi.fullname" . }}-postgresql-app
      key: uri
      {{- else }}
      name: {{ .Values.postgresql.external.existingSecret }}
      key: rw
      {{- end }}
{{- end -}}
{{- end -}}
