{{- /* What the three services have in common. All take
(dict "root" $ "component" "x" "values" .Values.x "role" "y"), the role being the database's. */ -}}

{{- define "claude-agi.serviceEnv" -}}
- name: HOST
  value: 0.0.0.0
- name: PORT
  value: "8080"
- name: LOG_LEVEL
  value: {{ .values.logLevel }}
- name: DATABASE_POOL_SIZE
  value: {{ .values.poolSize | quote }}
- name: SHUTDOWN_SECONDS
  value: {{ .values.shutdownSeconds | quote }}
- name: SERVICE_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "claude-agi.internalSecretName" .root }}
      key: service-key
- name: API_KEYS_FILE
  value: /etc/claude-agi/api-keys/keys.json
{{ include "claude-agi.databaseEnv" . }}
{{- /* Freed memory goes back to the system: the autoscaler measures what is really used. */}}
- name: MALLOC_ARENA_MAX
  value: "2"
- name: MALLOC_TRIM_THRESHOLD_
  value: "2097152"
- name: MALLOC_MMAP_THRESHOLD_
  value: "2097152"
- name: PYTHONUNBUFFERED
  value: "1"
{{- with .root.Values.tracing.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- with include (printf "claude-agi.%s.env" .component) .root | trim }}
{{ . }}
{{- end }}
{{- end -}}

{{- define "claude-agi.serviceDeployment" -}}
{{- $name := printf "%s-%s" (include "claude-agi.fullname" .root) .component -}}
{{- $policy := "" -}}
{{- if eq .component "safety-validator" -}}
{{- $policy = include "claude-agi.safety-validator.policy" .root -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- include "claude-agi.labels" . | nindent 4 }}
spec:
  {{- if eq .values.autoscaling.type "none" }}
  replicas: {{ .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "claude-agi.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "claude-agi.podLabels" (dict "root" .root "component" .component "extra" .values.podLabels) | nindent 8 }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ .component }}
        {{- if and (eq .component "thought-generator") .root.Values.engine.apiKey }}
        checksum/engine: {{ sha256sum .root.Values.engine.apiKey }}
        {{- end }}
        {{- with .values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "claude-agi.podSpec" . | nindent 6 }}
      {{- if .values.topologySpread }}
      {{- include "claude-agi.topologySpread" . | nindent 6 }}
      {{- end }}
      # Out of the endpoints, then what is under way, then some room.
      terminationGracePeriodSeconds: {{ add .values.preStopSeconds .values.shutdownSeconds 5 }}
      initContainers:
        - name: await-schema
          image: {{ include "claude-agi.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: {{ .root.Values.images.pullPolicy }}
          command: [python, -m, servicekit.await_schema, {{ replace "-" "_" .component }}]
          env:
            {{- include "claude-agi.databaseWriteEnv" . | nindent 12 }}
            - name: PYTHONUNBUFFERED
              value: "1"
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "claude-agi.containerSecurityContext" .root | nindent 12 }}
          volumeMounts:
            - name: tmp
              mountPath: /tmp
      containers:
        - name: {{ .component }}
          image: {{ include "claude-agi.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: {{ .root.Values.images.pullPolicy }}
          ports:
            - name: http
              containerPort: 8080
          env:
            {{- include "claude-agi.serviceEnv" . | nindent 12 }}
            {{- with .values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          startupProbe:
            httpGet:
              path: /livez
              port: http
            periodSeconds: 1
            failureThreshold: 60
          readinessProbe:
            httpGet:
              path: /readyz
              port: http
            periodSeconds: 5
            timeoutSeconds: 2
            failureThreshold: 2
          livenessProbe:
            httpGet:
              path: /livez
              port: http
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          lifecycle:
            preStop:
              sleep:
                seconds: {{ .values.preStopSeconds }}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "claude-agi.containerSecurityContext" .root | nindent 12 }}
          volumeMounts:
            - name: tmp
              mountPath: /tmp
            - name: api-keys
              mountPath: /etc/claude-agi/api-keys
              readOnly: true
            {{- if $policy }}
            # Whole: the kubelet renews a folder, and would not renew a subPath.
            - name: policy
              mountPath: /etc/claude-agi/policy
              readOnly: true
            {{- end }}
            {{- if eq .component "memory-service" }}
            - name: index
              mountPath: /var/lib/claude-agi/index
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: {}
        - name: api-keys
          secret:
            secretName: {{ include "claude-agi.apiKeysSecretName" .root }}
            items:
              - key: keys.json
                path: keys.json
        {{- if $policy }}
        - name: policy
          configMap:
            name: {{ $policy }}
        {{- end }}
        {{- if eq .component "memory-service" }}
        # As long as the pod: a container that starts again goes on from its snapshots.
        - name: index
          emptyDir:
            sizeLimit: {{ .root.Values.memory.indexSize }}
        {{- end }}
{{- end -}}

{{- define "claude-agi.serviceService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "claude-agi.fullname" .root }}-{{ .component }}
  labels:
    {{- include "claude-agi.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "claude-agi.selectorLabels" . | nindent 4 }}
  ports:
    - name: http
      port: 8080
      targetPort: http
      appProtocol: http
{{- end -}}

{{- define "claude-agi.servicePodDisruptionBudget" -}}
{{- if .values.podDisruptionBudget.enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "claude-agi.fullname" .root }}-{{ .component }}
  labels:
    {{- include "claude-agi.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .values.podDisruptionBudget.maxUnavailable }}
  # A pod that serves nobody must not hold up a drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "claude-agi.selectorLabels" . | nindent 6 }}
{{- end -}}
{{- end -}}
