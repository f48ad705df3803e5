{{- /* What answers under the one address, for every door: the longest path that fits counts. Nothing
else is served: a service's own pages (/metrics, /docs, probes) stay inside. `seconds` is what an
answer may take; a POST that is `repeatable` changes nothing. */ -}}
{{- define "claude-agi.routes" -}}
- {type: Exact, path: /, component: thought-generator, seconds: 120}
- {type: Prefix, path: /api/thought, component: thought-generator, seconds: 120}
- {type: Exact, path: /api/thought/live, component: thought-generator, seconds: 3600}
- {type: Prefix, path: /api/memory, component: memory-service, seconds: 120}
- {type: Exact, path: /api/memory/recall, component: memory-service, seconds: 120, repeatable: true}
- {type: Exact, path: /api/memory/import, component: memory-service, seconds: 3600}
- {type: Exact, path: /api/memory/export, component: memory-service, seconds: 3600}
- {type: Prefix, path: /mcp, component: memory-service, seconds: 3600}
- {type: Prefix, path: /api/safety, component: safety-validator, seconds: 120, repeatable: true}
- {type: Prefix, path: /v1/moderations, component: safety-validator, seconds: 120, repeatable: true}
{{- end -}}
