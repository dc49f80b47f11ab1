#!/usr/bin/env bash
# Replace the bundle of running workers.
#
#   deploy/bundle.sh install FOLDER     verify a bundle in a new container and store it beside the others; prints its name
#   deploy/bundle.sh activate NAME      roll it out
#   deploy/bundle.sh rollback           roll out the previous bundle
#   deploy/bundle.sh list
#
# New workers start beside the old ones, load the bundle and answer its golden recording. When all of them are healthy, the old
# workers of `prepare` stop, so that no more assessments start with the old bundle. The other old workers stop when the assessments
# that started with it are done, or after BUNDLE_PATIENCE seconds (600); unfinished assessments then start again with the new bundle.
# If the new workers do not become healthy within ROLL_WITHIN seconds (300), the old bundle becomes current again, its workers were
# never stopped, and the status is 1.
set -euo pipefail
source "$(dirname "$0")/stack.sh"
within=${ROLL_WITHIN:-300}
patience=${BUNDLE_PATIENCE:-600}
services=(prepare encode score)

hilbert() { once prepare hilbert bundle "$@"; }
current() { hilbert list | awk '$2 == "current" {print $1}'; }

roll_out() { # PREVIOUS-NAME: start workers for the current bundle
  local service before=$1
  declare -A old=()
  local fresh=()
  for service in "${services[@]}"; do
    start_beside "$service"
    old[$service]="${OLD[*]}"
    fresh+=("${NEW[@]}")
  done
  say "waiting for ${#fresh[@]} workers with the new bundle"
  if ! wait_healthy "$within" "${fresh[@]}"; then
    for id in "${fresh[@]}"; do [[ $(healthy "$id") == healthy ]] || docker logs --tail 5 "$id" >&2 || true; done
    hilbert activate "$before"
    remove "${fresh[@]}"
    fail "The new workers did not become healthy: $before is current again, and its workers never stopped."
  fi
  digest=$(once prepare sh -c "sha256sum /srv/bundles/$before/manifest.json | cut -d' ' -f1")
  retire ${old[prepare]}
  drain "$digest"
  retire ${old[encode]} ${old[score]}
}

drain() { # DIGEST: wait until no assessment that started with it is open
  local ends=$((SECONDS + patience)) open
  while open=$(query "select count(*) from assessment where model_digest = '$1' and state in ('encoding', 'scoring')"); ((open > 0)); do
    if ((SECONDS >= ends)); then
      say "$open assessments are not done; they begin again with the new bundle"
      return
    fi
    sleep 2
  done
}

switch() { # VERB ARGUMENTS...
  local before after
  before=$(current)
  hilbert "$@" >/dev/null
  after=$(current)
  [[ $before != "$after" ]] || { say "$after is current already"; return; }
  roll_out "$before"
  say "$after is current; deploy/bundle.sh rollback leads back to $before"
}

case ${1:-} in
  install)
    [[ -f ${2:-}/manifest.json ]] || fail "usage: deploy/bundle.sh install FOLDER, one with a manifest.json"
    tar -C "$2" -cf - . | hilbert install -
    ;;
  activate) [[ -n ${2:-} ]] || fail "usage: deploy/bundle.sh activate NAME"; switch activate "$2" ;;
  rollback) switch rollback ;;
  list) hilbert list ;;
  *) fail "usage: deploy/bundle.sh install FOLDER | activate NAME | rollback | list" ;;
esac
