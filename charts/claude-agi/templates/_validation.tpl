{{- /* All that does not fit together, at once; every line says what to set. What concerns one value
alone is in values.schema.json. */ -}}
{{- define "claude-agi.validate" -}}
{{- $problems := list -}}
{{- range list "names" "services" "engine" "memory" "safety" "doors" "connections" "apis" "data" "monitoring" -}}
{{- range include (printf "claude-agi.validate.%s" .) $ | splitList "\n" -}}
{{- with trim . -}}
{{- $problems = append $problems . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\nThese values do not fit together:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "claude-agi.validate.names" -}}
{{- $name := include "claude-agi.fullname" . -}}
{{- if regexMatch "^[0-9]" $name }}
the name {{ $name }} begins with a digit, as that of a Service cannot: set fullnameOverride
{{- end }}
{{- end -}}

{{- define "claude-agi.validate.safety" -}}
{{- if and .Values.safety.policy .Values.safety.policyConfigMap }}
safety has two policies, policy and policyConfigMap: empty one
{{- end }}
{{- with .Values.safety.guard }}
{{- if and .existingSecret (not .url) }}
safety.guard.existingSecret is set, but no guard: set safety.guard.url, or remove the Secret
{{- end }}
{{- if and .url (not .model) }}
safety.guard.url is set: set safety.guard.model too, the model that it serves
{{- end }}
{{- end }}
{{- end -}}

{{- define "claude-agi.validate.services" -}}
{{- range $key, $values := pick .Values "thoughtGenerator" "memoryService" "safetyValidator" -}}
{{- $scaling := $values.autoscaling -}}
{{- $at := printf "%s.autoscaling" $key -}}
{{- if ne $scaling.type "none" }}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) }}
{{ $at }}: minReplicas ({{ $scaling.minReplicas }}) is above maxReplicas ({{ $scaling.maxReplicas }}): lower the one or raise the other
{{- end }}
{{- range $resource, $target := dict "cpu" $scaling.targetCpu "memory" $scaling.targetMemory }}
{{- if and $target (not (dig "requests" $resource "" $values.resources)) }}
{{ $at }}: a target for {{ $resource }} is a share of its request: set {{ $key }}.resources.requests.{{ $resource }}, or set the target to 0
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq $scaling.type "hpa") (not $scaling.targetCpu) (not $scaling.targetMemory) }}
{{ $at }}: an HPA without a target does nothing: set targetCpu or targetMemory, or type to none
{{- end }}
{{- if and (eq $scaling.type "keda") (not $scaling.keda.serverAddress) }}
{{ $at }}: KEDA must know where Prometheus is: set keda.serverAddress, such as http://prometheus.monitoring:9090
{{- end }}
{{- if and (eq $scaling.type "keda") (gt (int $scaling.keda.fallbackReplicas) (int $scaling.maxReplicas)) }}
{{ $at }}: keda.fallbackReplicas ({{ $scaling.keda.fallbackReplicas }}) is above maxReplicas ({{ $scaling.maxReplicas }}): lower the one or raise the other
{{- end }}
{{- $component := kebabcase $key -}}
{{- $ours := list -}}
{{- range include "claude-agi.serviceEnv" (dict "root" $ "component" $component "values" $values "role" "x") | fromYamlArray -}}
{{- $ours = append $ours .name -}}
{{- end -}}
{{- $seen := list -}}
{{- range $values.extraEnv }}
{{- if has .name $ours }}
{{ $key }}.extraEnv: {{ .name }} is set by the chart: remove it, and set the value that it stands for
{{- else if has .name $seen }}
{{ $key }}.extraEnv: {{ .name }} is there twice: remove one
{{- end }}
{{- $seen = append $seen .name -}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "claude-agi.validate.engine" -}}
{{- with .Values.engine -}}
{{- $key := or .apiKey .existingSecret -}}
{{- if and .apiKey .existingSecret }}
engine: apiKey and existingSecret are both set: remove one
{{- end }}
{{- if and (eq .type "anthropic") (not $key) }}
engine.type is anthropic, which needs a key: set engine.existingSecret (a Secret with the key api-key), or engine.apiKey for a trial
{{- end }}
{{- if and (eq .type "auto") .baseUrl (not $key) }}
engine.baseUrl is set, but without a key the engine is offline: set engine.existingSecret or engine.apiKey; a server that asks for none takes any
{{- end }}
{{- $priced := concat (list "claude-haiku-4-5") (keys .prices) -}}
{{- if and $key (ne .type "offline") }}
{{- range $field, $model := pick . "model" "cheaperModel" }}
{{- /* A model with a date is its family's. */ -}}
{{- $family := regexReplaceAll "[-@][0-9]{8}$" $model "" -}}
{{- if and $model (not (has $model $priced)) (not (has $family $priced)) }}
engine.{{ $field }} is {{ $model }}, whose price is not known: set engine.prices, such as {{ printf "{%s: {input: 1, output: 5}}" $model }}, dollars per million tokens
{{- end }}
{{- end }}
{{- end }}
{{- if and $key .baseUrl (ne .type "offline") $.Values.networkPolicy.enabled }}
{{- $port := include "claude-agi.portOf" .baseUrl }}
{{- if not (has $port (toStrings $.Values.networkPolicy.enginePorts)) }}
engine.baseUrl is at port {{ $port }}, which is closed: add it to networkPolicy.enginePorts
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "claude-agi.validate.memory" -}}
{{- with .Values.memory.milvus -}}
{{- if and .existingSecret (not .uri) }}
memory.milvus.existingSecret is set, but no Milvus: set memory.milvus.uri, or remove the Secret
{{- end }}
{{- end }}
{{- end -}}

{{- define "claude-agi.validate.doors" -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
ingress.enabled needs a host: set ingress.hosts, such as [mind.example.com]
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
httpRoute.enabled needs a gateway: set httpRoute.parentRefs, such as [{name: public, namespace: gateways}]
{{- end }}
{{- if not (or .Values.front.enabled .Values.ingress.enabled .Values.httpRoute.enabled) }}
there is no one address: set front.enabled, ingress.enabled or httpRoute.enabled to true
{{- end }}
{{- end -}}

{{- /* Every pool at its maximum, with the pod that a rollout adds. Beside them: a connection of each
memory-service that listens for changes, and 15 for migrations, tests and whoever looks. */ -}}
{{- define "claude-agi.connections" -}}
{{- $postgresql := .Values.postgresql -}}
{{- /* With a single server, reads go to it by pools of their own. */ -}}
{{- $pools := ternary 2 1 (and (eq $postgresql.mode "cnpg") (eq (int $postgresql.cnpg.instances) 1)) -}}
{{- $sum := 15 -}}
{{- range $key, $values := pick .Values "thoughtGenerator" "memoryService" "safetyValidator" -}}
{{- $scaling := $values.autoscaling -}}
{{- $pods := add1 (ternary $values.replicas $scaling.maxReplicas (eq $scaling.type "none")) -}}
{{- $listening := ternary $pods 0 (eq $key "memoryService") -}}
{{- $sum = add $sum (mul $pods $values.poolSize $pools) $listening -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{- define "claude-agi.validate.connections" -}}
{{- $sum := include "claude-agi.connections" . | int -}}
{{- if gt $sum (int .Values.postgresql.maxConnections) }}
postgresql.maxConnections is {{ .Values.postgresql.maxConnections }}, the pools of all pods want up to {{ $sum }}: raise it, or lower maxReplicas or poolSize of the services
{{- end }}
{{- end -}}

{{- /* Whether a cluster is there to be asked: without one, Helm knows only the groups of its own
library, and this is not one of them. */ -}}
{{- define "claude-agi.live" -}}
{{- if .Capabilities.APIVersions.Has "apiregistration.k8s.io/v1" -}}
live
{{- end -}}
{{- end -}}

{{- define "claude-agi.validate.apis" -}}
{{- if include "claude-agi.live" . }}
{{- range $key, $values := pick .Values "thoughtGenerator" "memoryService" "safetyValidator" }}
{{- if and (eq $values.autoscaling.type "keda") (not ($.Capabilities.APIVersions.Has "keda.sh/v1alpha1")) }}
{{ $key }}.autoscaling.type is keda, which this cluster does not have: install KEDA, or set it to hpa or none
{{- end }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not (.Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1")) }}
httpRoute.enabled needs the Gateway API, which this cluster does not have: install a gateway, or use ingress
{{- end }}
{{- end }}
{{- end -}}
