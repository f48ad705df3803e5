{{- /* One address before the three services, in the words of nginx. */ -}}
{{- define "claude-agi.nginxConf" -}}
{{- $full := include "claude-agi.fullname" . -}}
daemon off;
worker_processes 2;
worker_rlimit_nofile 8192;
# What is under way when the pod is told to stop gets this long; live feeds resume elsewhere.
worker_shutdown_timeout 30s;
error_log stderr error;
# The root is read-only: all that is written goes to the volume at /tmp.
pid /tmp/nginx.pid;

events {
    worker_connections 4096;
}

http {
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;

    access_log off;
    server_tokens off;
    keepalive_timeout 65s;
    # A client may be about to use the connection that a stopping pod would close.
    keepalive_min_timeout 10s;

    # A Service's address three times, never given up: what one pod could not do is tried
    # again, and the Service gives it to another.
    {{- range list "thought-generator" "memory-service" "safety-validator" }}
    upstream {{ . }} {
        {{- $address := printf "%s-%s:8080" $full . }}
        {{- range until 3 }}
        server {{ $address }} max_fails=0;
        {{- end }}
    }
    {{- end }}

    # The same form as the services': another id is not passed on.
    map $http_x_request_id $id {
        "~^[A-Za-z0-9._:-]{1,128}$" $http_x_request_id;
        default $request_id;
    }
    map $http_x_forwarded_proto $proto {
        https https;
        default $scheme;
    }
    map $status $kind {
        400 unreadable;
        404 not-found;
        405 method-not-allowed;
        413 body-too-large;
        414 unreadable;
        503 unavailable;
        504 deadline-exceeded;
        default internal;
    }
    map $status $title {
        400 "The request could not be read.";
        404 "There is nothing here by that name.";
        405 "This path does not know that method.";
        413 "The body is larger than this call takes.";
        414 "The request could not be read.";
        503 "No pod answers; try again later.";
        504 "The answer took too long.";
        default "Something went wrong.";
    }
    map $status $retry_after {
        503 1;
        default "";
    }

    server {
        listen 8080;

        proxy_http_version 1.1;
        # No connection is kept: a kept one to a pod that is leaving would cut the next request.
        proxy_set_header Connection close;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $proto;
        proxy_set_header X-Request-ID $id;

        # Answers pass as they come: live feeds, exports, thoughts word by word.
        proxy_buffering off;
        # The services take 4 MiB and word their own refusal.
        client_max_body_size 5m;
        client_body_buffer_size 64k;

        proxy_connect_timeout 2s;
        # What a pod may have begun to do is repeated only where that changes nothing.
        proxy_next_upstream error timeout http_503;
        proxy_next_upstream_tries 3;
        proxy_next_upstream_timeout 8s;
        {{- range $route := include "claude-agi.routes" . | fromYamlArray }}
        {{- $paths := list (print "= " $route.path) }}
        {{- if eq $route.type "Prefix" }}
        {{- $paths = append $paths (print $route.path "/") }}
        {{- end }}
        {{- range $path := $paths }}

        location {{ $path }} {
            proxy_pass http://{{ $route.component }};
            proxy_read_timeout {{ $route.seconds }}s;
            proxy_send_timeout {{ $route.seconds }}s;
            {{- if eq $route.path "/api/memory/import" }}
            client_max_body_size 256m;
            client_body_timeout 1h;
            proxy_request_buffering off;
            {{- end }}
            {{- if $route.repeatable }}
            proxy_next_upstream error timeout http_503 non_idempotent;
            {{- end }}
        }
        {{- end }}
        {{- end }}

        location / {
            return 404;
        }

        # Our own errors read as the services' do; no pod that answers is a 503. The status
        # stays the error's.
        error_page 400 404 405 413 414 500 504 /problem;
        error_page 494 =400 /problem;
        error_page 502 =503 /problem;
        location = /problem {
            internal;
            default_type application/problem+json;
            add_header Retry-After $retry_after always;
            add_header X-Request-ID $id always;
            return 200 '{"type": "urn:claude-agi:problem:$kind", "title": "$title", "status": $status, "request_id": "$id"}';
        }
    }

    server {
        listen 8081;
        location = /healthz {
            return 204;
        }
    }
}
{{- end -}}
