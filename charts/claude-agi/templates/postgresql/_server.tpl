{{- /* What the primary and its replicas have in common. All take the root. */ -}}

{{- /* Settings of both.
io_method: worker processes would cost more memory than they save time on small servers.
max_slot_wal_keep_size: a replica away for longer than this copies the primary anew.
timeouts: a partner whose node is gone is found out soon.
hot_standby_feedback: reads on a replica do not hold up its replay.
max_wal_senders: two for each replica's copy; one more replica does not restart the primary. */ -}}
{{- define "claude-agi.postgresql.arguments" -}}
{{- $bundled := .Values.postgresql.bundled -}}
{{- $settings := dict
  "shared_buffers" "64MB"
  "io_method" "sync"
  "jit" "off"
  "max_wal_size" "512MB"
  "max_slot_wal_keep_size" "512MB"
  "wal_sender_timeout" "15s"
  "wal_receiver_timeout" "15s"
  "wal_retrieve_retry_interval" "1s"
  "hot_standby_feedback" "on"
-}}
{{- range $name, $value := $bundled.parameters -}}
{{- $_ := set $settings $name (ternary $value (toJson $value) (kindIs "string" $value)) -}}
{{- end -}}
{{- $senders := max 10 (mul 2 $bundled.replicas) -}}
{{- $_ := set $settings "max_connections" .Values.postgresql.maxConnections -}}
{{- $_ := set $settings "wal_level" "replica" -}}
{{- $_ := set $settings "hot_standby" "on" -}}
{{- $_ := set $settings "max_wal_senders" $senders -}}
{{- $_ := set $settings "max_replication_slots" $senders -}}
{{- $arguments := list -}}
{{- range $name, $value := $settings -}}
{{- $arguments = concat $arguments (list "-c" (printf "%s=%v" $name $value)) -}}
{{- end -}}
{{- toYaml $arguments -}}
{{- end -}}

{{- define "claude-agi.postgresql.container" -}}
image: {{ include "claude-agi.image" (dict "root" . "image" .Values.postgresql.bundled.image) }}
imagePullPolicy: {{ .Values.images.pullPolicy }}
ports:
  - name: postgresql
    containerPort: 5432
resources:
  {{- toYaml .Values.postgresql.bundled.resources | nindent 2 }}
securityContext:
  {{- include "claude-agi.containerSecurityContext" . | nindent 2 }}
{{- end -}}

{{- define "claude-agi.postgresql.volumeMounts" -}}
- name: data
  mountPath: /var/lib/postgresql
- name: run
  mountPath: /var/run/postgresql
- name: tmp
  mountPath: /tmp
- name: shm
  mountPath: /dev/shm
- name: scripts
  mountPath: /etc/claude-agi/postgresql
  readOnly: true
- name: passwords
  mountPath: /etc/claude-agi/passwords
  readOnly: true
{{- end -}}

{{- define "claude-agi.postgresql.volumes" -}}
- name: run
  emptyDir: {}
- name: tmp
  emptyDir: {}
# A runtime's own is 64 MiB: too small for a parallel query.
- name: shm
  emptyDir:
    medium: Memory
    sizeLimit: 256Mi
- name: scripts
  configMap:
    name: {{ include "claude-agi.fullname" . }}-postgresql
    defaultMode: 0555
- name: passwords
  secret:
    secretName: {{ include "claude-agi.internalSecretName" . }}
    defaultMode: 0440
    items:
      - key: postgres-password
        path: postgres
      - key: replication-password
        path: replication
{{- end -}}

{{- define "claude-agi.postgresql.claims" -}}
- metadata:
    name: data
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .Values.postgresql.bundled.persistence.storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ .Values.postgresql.bundled.persistence.size }}
{{- end -}}

{{- /* A pod's spec as of any other, but as the user that the server images run as, 999.
Takes (dict "root" $ "values" .Values.x). */ -}}
{{- define "claude-agi.serverPodSpec" -}}
{{- $spec := include "claude-agi.podSpec" . | fromYaml -}}
{{- $user := dict "runAsUser" 999 "runAsGroup" 999 "fsGroup" 999 "fsGroupChangePolicy" "OnRootMismatch" -}}
{{- $_ := merge $spec.securityContext $user -}}
{{- toYaml $spec -}}
{{- end -}}
