{{- /* What does not fit together of PostgreSQL and the cache, one line each. */ -}}
{{- define "claude-agi.validate.data" -}}
{{- if ne .Values.postgresql.mode "external" }}
{{- include (printf "claude-agi.validate.%s" .Values.postgresql.mode) . }}
{{- end }}
{{- range $part, $keys := dict "postgresql" "rw, and ro where there are replicas" "cache" "url" }}
{{- $values := get $.Values $part }}
{{- $external := eq $values.mode "external" }}
{{- if and $external (not $values.external.existingSecret) }}
{{ $part }}.mode is external, whose address is not known: set {{ $part }}.external.existingSecret (a Secret with the key {{ $keys }})
{{- else if and $values.external.existingSecret (not $external) }}
{{ $part }}.external.existingSecret is set, but {{ $part }}.mode is {{ $values.mode }}: set the mode to external, or remove the Secret
{{- end }}
{{- end }}
{{- include "claude-agi.validate.secrets" . }}
{{- end -}}

{{- /* Secrets of your own that are not there. Every namespace has kube-root-ca.crt: without it nobody is
asked, as under Argo CD, or the namespace is still to be made. */ -}}
{{- define "claude-agi.validate.secrets" -}}
{{- $named := list
  (list "auth.existingSecret" .Values.auth.existingSecret "keys.json, admin and read")
  (list "engine.existingSecret" (ternary "" .Values.engine.existingSecret (eq .Values.engine.type "offline")) "api-key")
  (list "memory.milvus.existingSecret" .Values.memory.milvus.existingSecret "token")
  (list "safety.guard.existingSecret" .Values.safety.guard.existingSecret "api-key")
  (list "postgresql.external.existingSecret" .Values.postgresql.external.existingSecret "rw, and ro where there are replicas")
  (list "cache.external.existingSecret" .Values.cache.external.existingSecret "url")
-}}
{{- range $each := $named }}
{{- $name := index $each 1 }}
{{- if and $name (include "claude-agi.live" $) (lookup "v1" "ConfigMap" $.Release.Namespace "kube-root-ca.crt") }}
{{- if not (lookup "v1" "Secret" $.Release.Namespace $name) }}
the Secret {{ $name }} ({{ index $each 0 }}) is not in namespace {{ $.Release.Namespace }}: make it with the keys {{ index $each 2 }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "claude-agi.validate.bundled" -}}
{{- range $name := list "data_directory" "hba_file" "hot_standby" "listen_addresses" "max_connections" "max_replication_slots" "max_wal_senders" "port" "primary_conninfo" "primary_slot_name" "unix_socket_directories" "wal_level" }}
{{- if hasKey $.Values.postgresql.bundled.parameters $name }}
postgresql.bundled.parameters: {{ $name }} is set by the chart: remove it{{ ternary ", and set postgresql.maxConnections" "" (eq $name "max_connections") }}
{{- end }}
{{- end }}
{{- /* Argo CD renders with the groups of a cluster that it does not let anyone ask. */ -}}
{{- $asked := and (include "claude-agi.live" .) .Release.IsInstall (not .Values.postgresql.bundled.persistence.storageClass) -}}
{{- if and $asked (lookup "v1" "Namespace" "" "kube-system") }}
{{- $default := false -}}
{{- range (lookup "storage.k8s.io/v1" "StorageClass" "" "").items -}}
{{- range $key, $value := default dict .metadata.annotations -}}
{{- $default = or $default (and (hasSuffix "storageclass.kubernetes.io/is-default-class" $key) (eq $value "true")) -}}
{{- end -}}
{{- end }}
{{- if not $default }}
this cluster has no default StorageClass, so PostgreSQL would wait for its volumes for ever: set postgresql.bundled.persistence.storageClass
{{- end }}
{{- end }}
{{- end -}}

{{- define "claude-agi.validate.cnpg" -}}
{{- $cnpg := .Values.postgresql.cnpg -}}
{{- if hasKey $cnpg.parameters "max_connections" }}
postgresql.cnpg.parameters: max_connections is set by the chart: remove it, and set postgresql.maxConnections
{{- end }}
{{- if hasKey $cnpg.spec "instances" }}
postgresql.cnpg.spec: instances has a value of its own: remove it, and set postgresql.cnpg.instances
{{- end }}
{{- if and (include "claude-agi.live" .) (not (.Capabilities.APIVersions.Has "postgresql.cnpg.io/v1")) }}
postgresql.mode is cnpg, but this cluster does not have CloudNativePG: install it, or set postgresql.mode to bundled or external
{{- end }}
{{- end -}}
