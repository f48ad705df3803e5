{{- /* What monitoring is asked for and cannot do, one line each. */ -}}
{{- define "claude-agi.validate.monitoring" -}}
{{- with .Values.monitoring -}}
{{- if and .podMonitor.enabled (ne $.Values.postgresql.mode "cnpg") }}
monitoring.podMonitor.enabled scrapes CloudNativePG's servers, but postgresql.mode is {{ $.Values.postgresql.mode }}: set it to false, or the mode to cnpg
{{- end }}
{{- if and .rules.enabled (not .serviceMonitor.enabled) }}
monitoring.rules.enabled brings alerts on metrics that nobody scrapes: set monitoring.serviceMonitor.enabled as well
{{- end }}
{{- if and .rules.enabled (not .rules.runbookBaseUrl) }}
monitoring.rules.enabled: each alert leads to its page, and where you serve them is not known: set monitoring.rules.runbookBaseUrl, such as https://runbooks.example.com/claude-agi
{{- end }}
{{- $wanted := or .serviceMonitor.enabled .podMonitor.enabled .rules.enabled -}}
{{- if and (include "claude-agi.live" $) $wanted (not ($.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) }}
monitoring: this cluster does not have the Prometheus operator: install it, or set monitoring.serviceMonitor.enabled, monitoring.podMonitor.enabled and monitoring.rules.enabled to false
{{- end }}
{{- end }}
{{- end -}}
