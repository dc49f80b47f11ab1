#!/usr/bin/env bash
# Restore a backup into an empty stack, and start it.
#
#   deploy/restore.sh BACKUP [--replace]      --replace: delete the contents of the stack first
#
# The schema of the backup may be older than that of the images, which migrate it, but not newer. Keys, results and webhooks are
# those of the backup; unfinished assessments continue. Data that was erased after the backup is present again and must be erased
# again.
set -euo pipefail
backup=$(realpath -m "${1:-}")
source "$(dirname "$0")/stack.sh"
umask 077
filter=${RESTORE_FILTER:-cat}
secrets=${HILBERT_SECRETS:-deploy/secrets}
replace=no
[[ ${2:-} == --replace ]] && replace=yes
[[ -n ${1:-} && -f $backup/SHA256SUMS ]] || fail "usage: deploy/restore.sh BACKUP [--replace]; a backup is a folder that deploy/backup.sh has made"

about() { awk -v name="$1" '$1 == name {print $2}' "$backup/ABOUT"; }
kept() { bash -c "$filter" <"$backup/$1"; } # NAME: print a file of the backup
refuse_unless_replacing() { # WHAT
  [[ $replace == yes ]] || fail "$1. Restore into an empty stack (docker compose down -v), or add --replace, which deletes it."
}

(cd "$backup" && sha256sum --quiet -c SHA256SUMS >&2) || fail "The backup is damaged: it differs from its digests. Nothing was changed."
[[ $(about format) == 1 ]] || fail "This backup was made by a later version; use its deploy/restore.sh."

# Secrets first: the servers read them at their first start.
if [[ -n $(ls -A "$secrets" 2>/dev/null) ]]; then
  cmp -s <(kept secrets.tar | tar -xOf - ./hilbert_peppers) "$secrets/hilbert_peppers" || refuse_unless_replacing "$secrets holds other secrets"
fi
mkdir -p "$secrets"
(umask 022; kept secrets.tar | tar -C "$secrets" --no-same-owner -xf -)
chmod 0700 "$secrets"
if [[ -f $backup/settings.tar ]]; then kept settings.tar | tar --no-same-owner --skip-old-files -xf -; fi

once migrate sh -c "ls service/storage/migrations/versions" | grep -q "^$(about schema)_" ||
  fail "The backup's schema $(about schema) is newer than these images know. Take the version that made it ($(about image)), or a later one."

say "stopping what runs"
docker compose --progress quiet stop proxy api prepare encode score deliver migrate >&2
docker compose --progress quiet up -d --no-deps --wait postgres >&2
if [[ $(query "select count(*) from information_schema.tables where table_schema = 'public'") != 0 ]]; then
  refuse_unless_replacing "The database holds tables"
fi
[[ -z $(once api ls -A /srv/objects) ]] || refuse_unless_replacing "The object store holds objects"

say "restoring $(about assessments) assessments of $(about made)"
docker compose exec -T postgres sh -c 'dropdb -U hilbert --force hilbert && createdb -U hilbert -O hilbert hilbert'
kept database.dump | docker compose exec -T postgres pg_restore -U hilbert -d hilbert --no-owner --exit-on-error
# An existing database has the password of its first start.
docker compose exec -T postgres psql -U hilbert -d hilbert -Xqf - <<'SQL'
\set password `cat /run/secrets/postgres_password`
alter role hilbert password :'password';
SQL
once api find /srv/objects -mindepth 1 -delete
for name in objects-before.tar objects-after.tar; do
  [[ ! -f $backup/$name ]] || kept "$name" | once api tar -C /srv/objects -xf -
done
once prepare find /srv/bundles -mindepth 1 -delete
kept bundles.tar | once prepare tar -C /srv/bundles -xf -

say "starting"
docker compose --progress quiet up -d --wait >&2
say "restored. What was erased after $(about made) is here again: erase it again."
