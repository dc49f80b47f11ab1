#!/usr/bin/env bash
# Back up the running service: database, objects, bundles, settings and secrets.
#
#   deploy/backup.sh [FOLDER]       default: backups; prints the folder of the new backup
#
# A backup is written completely or not at all. It contains recordings, results and secrets. BACKUP_FILTER is a command that
# filters every file, such as BACKUP_FILTER='age -r age1...', and RESTORE_FILTER is its reverse. Old backups are not deleted by
# this script, and they still contain data that was erased later.
set -euo pipefail
folder=$(realpath -m "${1:-backups}")
source "$(dirname "$0")/stack.sh"
umask 077
filter=${BACKUP_FILTER:-cat}
secrets=${HILBERT_SECRETS:-deploy/secrets}
made=$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$folder"
partial=$(mktemp -d "$folder/.partial-XXXXXX")
trap 'rm -rf "$partial"' EXIT

keep() { # NAME: write standard input to a file of the backup
  bash -c "$filter" >"$partial/$1"
}

objects() { # TAR-ARGUMENTS...: the store is in use, so a file may disappear while it is read (status 1); unfinished files are left out
  once api sh -c 'tar "$@"; status=$?; [ "$status" -le 1 ]' sh -C /srv/objects --exclude '*#*' --warning=no-file-changed --warning=no-file-removed -cf - "$@" .
}

docker compose exec -T postgres true 2>/dev/null || fail "The database is not running: docker compose up -d postgres"
schema=$(query "select version_num from alembic_version")
start=$(date -u +'%Y-%m-%d %H:%M:%S')

# Rows refer to objects. Objects are therefore copied before the rows, and new objects again after them. In between this lock stops
# the service from removing material (service/maintenance/retention.py). So every object that a row of the dump needs is in one of
# the two archives. After a restore the service removes objects without a row.
hold() { # until `release`, or until the script ends in any way
  coproc HOLDER { docker compose exec -T postgres psql -U hilbert -d hilbert -XAtq; }
  echo "select 'held' from (select pg_advisory_lock(7214500362)) as lock;" >&"${HOLDER[1]}"
  [[ $(head -n 1 <&"${HOLDER[0]}") == held ]] || fail "The database gave no lock."
}
release() { exec {HOLDER[1]}>&-; }

store=$(once api printenv HILBERT_OBJECT_STORE_URL)
if [[ $store == file:* ]]; then objects | keep objects-before.tar; fi
hold
docker compose exec -T postgres pg_dump -U hilbert -d hilbert -Fc --no-owner | keep database.dump
if [[ $store == file:* ]]; then
  objects --newer-mtime="$start" | keep objects-after.tar
  release
else
  say "The objects lie in $store: they are not in the backup. Keep versions there for as long as you keep backups."
fi
once prepare tar -C /srv/bundles --exclude './.*' -cf - . | keep bundles.tar
tar -C "$secrets" -cf - . | keep secrets.tar
files=()
for file in .env hilbert.env; do [[ -f $file ]] && files+=("$file"); done
if ((${#files[@]})); then tar -cf - "${files[@]}" | keep settings.tar; fi

{
  echo "format 1"
  echo "made $made"
  echo "schema $schema"
  echo "image ${HILBERT_VERSION:-dev}"
  echo "assessments $(query 'select count(*) from assessment')"
} >"$partial/ABOUT"
(cd "$partial" && sha256sum -- * >SHA256SUMS)
mv "$partial" "$folder/hilbert-$made"
trap - EXIT
echo "$folder/hilbert-$made"
