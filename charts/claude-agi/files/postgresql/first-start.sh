#!/usr/bin/env bash
# Run by the image when the database is new: the role by which replicas copy and follow.
set -euo pipefail

psql --no-psqlrc --quiet --username postgres --set ON_ERROR_STOP=1 <<'SQL'
\set password `cat /etc/claude-agi/passwords/replication`
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'password';
SQL
# What the image lets in does not cover replication.
echo 'host replication replicator all scram-sha-256' >>"$PGDATA/pg_hba.conf"
rm /var/lib/postgresql/unfinished
