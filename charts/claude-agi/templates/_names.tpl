{{- define "claude-agi.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 33 | trimSuffix "-" -}}
{{- end -}}

{{- /* Helm's usual rule, cut at 33: the longest name behind it (`-postgresql-replica` and a
StatefulSet's revision) must end within the 63 characters of a label. */ -}}
{{- define "claude-agi.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if contains $name .Release.Name -}}
{{- $full = .Release.Name -}}
{{- end -}}
{{- default $full .Values.fullnameOverride | trunc 33 | trimSuffix "-" -}}
{{- end -}}

{{- define "claude-agi.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}
