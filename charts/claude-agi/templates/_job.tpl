{{- /* A Job that runs once for what it is made of: a plain one, whose name changes with every
revision and whenever its pod does. A pod that failed stays, with its log; another follows. Takes (dict "root" $ "component" "x" "spec" "..."). */ -}}
{{- define "claude-agi.job" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "claude-agi.fullname" .root }}-{{ .component }}-{{ .root.Release.Revision }}-{{ sha256sum .spec | trunc 8 }}
  labels:
    {{- include "claude-agi.labels" . | nindent 4 }}
spec:
  backoffLimit: 4
  activeDeadlineSeconds: {{ .root.Values.jobs.activeDeadlineSeconds }}
  template:
    {{- .spec | nindent 4 }}
{{- end -}}

{{- /* What every container of a Job has. Takes (dict "root" $ "image" .Values.x.image). */ -}}
{{- define "claude-agi.jobContainer" -}}
image: {{ include "claude-agi.image" . }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
resources:
  {{- toYaml .root.Values.jobs.resources | nindent 2 }}
securityContext:
  {{- include "claude-agi.containerSecurityContext" .root | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- range $name, $path := .mounts }}
  - name: {{ $name }}
    mountPath: {{ $path }}
    readOnly: true
  {{- end }}
{{- end -}}

{{- /* An account for a Job, which may read and patch the objects named, and nothing else. Takes
(dict "root" $ "component" "x" "resource" "secrets" "names" (list ...)). */ -}}
{{- define "claude-agi.jobAccess" -}}
{{- $name := printf "%s-%s" (include "claude-agi.fullname" .root) .component -}}
{{- $labels := include "claude-agi.labels" . -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  labels:
    {{- $labels | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  labels:
    {{- $labels | nindent 4 }}
rules:
  - apiGroups: [""]
    resources: [{{ .resource }}]
    resourceNames:
      {{- toYaml .names | nindent 6 }}
    verbs: [get, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
