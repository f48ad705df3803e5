{{- define "claude-agi.internalSecretName" -}}
{{ include "claude-agi.fullname" . }}-internal
{{- end -}}

{{- define "claude-agi.apiKeysSecretName" -}}
{{- default (printf "%s-api-keys" (include "claude-agi.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{- /* Whether volumes outlive the release. */ -}}
{{- define "claude-agi.keepsVolumes" -}}
{{- with .Values.postgresql -}}
{{- if or (and (eq .mode "bundled") .bundled.persistence.keep) (and (eq .mode "cnpg") .cnpg.keep) -}}
keep
{{- end -}}
{{- end -}}
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

{{- define "claude-agi.cacheHost" -}}
{{- if eq .Values.cache.mode "bundled" -}}
{{ include "claude-agi.fullname" . }}-cache:6379
{{- end -}}
{{- end -}}

{{- /* The end of the keys under which addresses are kept. Other servers have other keys: pods are made
anew for them, and wait until the Job of secrets has written them. */ -}}
{{- define "claude-agi.addressesHash" -}}
{{- $servers := dict
  "mode" .Values.postgresql.mode
  "write" (include "claude-agi.databaseHost" .)
  "read" (include "claude-agi.databaseReadHost" .)
  "database" .Values.postgresql.database
  "secret" .Values.postgresql.external.existingSecret
  "cache" (include "claude-agi.cacheHost" .)
  "cacheSecret" .Values.cache.external.existingSecret
-}}
{{- toJson $servers | sha256sum | trunc 8 -}}
{{- end -}}

{{- /* A service's own DSNs. Takes (dict "root" $ "role" "thinking"). */ -}}
{{- define "claude-agi.databaseEnv" -}}
{{- $secret := include "claude-agi.internalSecretName" .root -}}
{{- $hash := include "claude-agi.addressesHash" .root -}}
{{ include "claude-agi.databaseWriteEnv" . }}
- name: DATABASE_REPLICA_URL
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ .role }}-replica-url-{{ $hash }}
      optional: true
- name: DATABASE_DIRECT_URL
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ .role }}-direct-url-{{ $hash }}
      optional: true
{{- end -}}

{{- /* For those that only write, such as migrations. */ -}}
{{- define "claude-agi.databaseWriteEnv" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "claude-agi.internalSecretName" .root }}
      key: {{ .role }}-url-{{ include "claude-agi.addressesHash" .root }}
{{- end -}}

{{- /* The DSN of whoever may create roles, and how messages name where it comes from. */ -}}
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
{{- end }}
- name: ADMIN_DSN_FROM
  value: {{ include "claude-agi.adminDatabaseOrigin" . }}
{{- end -}}

{{- define "claude-agi.adminDatabaseOrigin" -}}
{{- if eq .Values.postgresql.mode "external" -}}
postgresql.external.existingSecret, key rw
{{- else -}}
{{- $kind := ternary "StatefulSet" "Cluster" (eq .Values.postgresql.mode "bundled") -}}
the {{ $kind }} {{ include "claude-agi.fullname" . }}-postgresql
{{- end -}}
{{- end -}}
