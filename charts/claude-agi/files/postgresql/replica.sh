#!/usr/bin/env bash
# A streaming replica.
#   replica.sh start ARGUMENT...  serves the copy it has, or copies the primary first
#   replica.sh alive              for the probe: fails where only another start can help
set -euo pipefail

slot=replica_${HOSTNAME##*-}
# A copy that is being made.
half=$PGDATA.new
# What was there before the primary lost its past.
kept=$PGDATA.kept
gone='the primary does not hold the WAL any more that this copy needs'
export PGPASSFILE=/tmp/pgpass
primary="host=$PRIMARY_HOST user=replicator dbname=postgres connect_timeout=3 application_name=$HOSTNAME"

ask() { # ask [PSQL ARGUMENT...] <SQL: of the primary
  timeout 5 psql --no-psqlrc --no-password --quiet --tuples-only --no-align \
    --set ON_ERROR_STOP=1 --set slot="$slot" "$@" "$primary"
}

control() { # control NAME: a line of the copy's control file
  pg_controldata "$PGDATA" | sed -n "s/^$1: *//p"
}

hindrance() { # why the copy can never follow the primary; nothing where it can, or nobody knows
  # Without the signal it was promoted: that is the business of whoever did it.
  [ -e "$PGDATA/standby.signal" ] || return 0
  ask --set system="$(control 'Database system identifier')" \
    --set seen="$(control 'Minimum recovery ending location')" --set gone="$gone" 2>/dev/null <<'SQL' || true
SELECT CASE
  WHEN system_identifier::text <> :'system' THEN 'the primary was made anew'
  WHEN :'seen'::pg_lsn > pg_current_wal_flush_lsn() THEN 'the primary was set back to an earlier state'
  WHEN NOT EXISTS (
    SELECT FROM pg_replication_slots WHERE slot_name = :'slot' AND wal_status <> 'lost'
  ) THEN :'gone'
END
FROM pg_control_system();
SQL
}

put_away() { # put_away REASON: makes room for a new copy
  if [ "$1" = "$gone" ] || [ -e "$kept" ]; then
    rm -rf "$PGDATA"
  elif [ -e "$PGDATA" ]; then
    # It may be the last of a database that was lost.
    echo "What this replica had is kept in $kept; remove it when nobody needs it."
    mv "$PGDATA" "$kept"
  fi
}

copy() { # copy REASON
  echo "Copying the primary: $1."
  mkdir -p "$half"
  put_away "$1"
  until ask >/dev/null <<'SQL'
SELECT pg_terminate_backend(active_pid, 2000)
FROM pg_replication_slots WHERE slot_name = :'slot' AND active_pid IS NOT NULL;
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = :'slot';
SELECT pg_create_physical_replication_slot(:'slot', true);
SQL
  do
    echo "Waiting for the primary at $PRIMARY_HOST."
    sleep 1
  done
  pg_basebackup --pgdata "$half" --dbname "$primary" --slot "$slot" --checkpoint fast --no-password &
  wait $!
  touch "$half/standby.signal"
  mv "$half" "$PGDATA"
}

start() {
  local reason='there is no copy yet' name setting least
  # As the first process of its container it would ignore them otherwise.
  trap 'exit 1' INT TERM
  (umask 077 && echo "*:*:*:replicator:$(</etc/claude-agi/passwords/replication)" >"$PGPASSFILE")
  rm -rf "$half"
  [ ! -e "$PGDATA" ] || reason=$(hindrance)
  [ -z "$reason" ] || copy "$reason"
  # A volume's driver may have opened it to the group.
  chmod 0700 "$PGDATA"
  # A replica below the primary that it copied refuses to start, also where both are lowered.
  while read -r name setting; do
    least=$(control "$name setting")
    [ "$(postgres -C "$setting" "$@")" -ge "$least" ] || set -- "$@" -c "$setting=$least"
  done <<'NAMES'
max_connections max_connections
max_worker_processes max_worker_processes
max_wal_senders max_wal_senders
max_prepared_xacts max_prepared_transactions
max_locks_per_xact max_locks_per_transaction
NAMES
  exec postgres "$@" -c primary_slot_name="$slot" -c primary_conninfo="$primary passfile=$PGPASSFILE"
}

alive() {
  local reason
  # 1: it is there and still starting.
  pg_isready --quiet --host 127.0.0.1 || [ $? = 1 ]
  reason=$(hindrance)
  [ -z "$reason" ] || { echo "a new copy is needed: $reason"; return 1; }
}

"$@"
