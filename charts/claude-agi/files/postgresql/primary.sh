#!/usr/bin/env bash
# Starts the primary, with the settings that are its arguments.
set -euo pipefail

volume=/var/lib/postgresql
# There from before the first start's initdb until the last of its scripts.
unfinished=$volume/unfinished

for version in "$volume"/*/docker/PG_VERSION; do
  if [ -e "$version" ] && [ "${version%/*}" != "$PGDATA" ] && [ ! -e "$PGDATA" ]; then
    echo "The volume holds a database of PostgreSQL $(<"$version"), and this image is of another" \
      "version: go back to that image, dump the database, and restore it into a new volume."
    exit 1
  fi
done

if [ -e "$unfinished" ]; then
  echo "The first start was interrupted: beginning it anew."
  rm -rf "$PGDATA"
elif [ -z "$(ls -A "$PGDATA" 2>/dev/null)" ]; then
  touch "$unfinished"
fi
exec docker-entrypoint.sh postgres "$@"
