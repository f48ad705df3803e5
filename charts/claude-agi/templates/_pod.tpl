{{- /* Restricted Pod Security; no uid, so that any platform may choose one. */ -}}
{{- define "claude-agi.podSecurityContext" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "claude-agi.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- end -}}

{{- /* Takes (dict "root" $ "image" .Values.x.image); "default" is the tag where none is given,
else the appVersion. A repository whose first part is a host takes no registry. */ -}}
{{- define "claude-agi.image" -}}
{{- $repository := .image.repository -}}
{{- $registry := .root.Values.images.registry | trimSuffix "/" -}}
{{- $first := splitList "/" $repository | first -}}
{{- $host := and (contains "/" $repository) (or (contains "." $first) (contains ":" $first) (eq $first "localhost")) -}}
{{- if and $registry (not $host) -}}
{{- $repository = printf "%s/%s" $registry $repository -}}
{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (coalesce .image.tag .default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- /* Fields of every pod's spec. Takes (dict "root" $ "values" .Values.x), where values has any
of nodeSelector, tolerations, affinity and priorityClassName; "token" true where the pod speaks
to the Kubernetes API. */ -}}
{{- define "claude-agi.podSpec" -}}
automountServiceAccountToken: {{ default false .token }}
enableServiceLinks: false
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- include "claude-agi.podSecurityContext" .root | nindent 2 }}
{{- end -}}

{{- /* Over zones, then hosts; pods of another revision do not count. */ -}}
{{- define "claude-agi.topologySpread" -}}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "claude-agi.selectorLabels" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end -}}
