#!/usr/bin/env bash
# Replace the containers of services, one service after the other, without losing a request or an assessment.
#
#   deploy/roll.sh SERVICE...                 for instance: deploy/roll.sh api prepare encode score deliver
#
# New containers, with the present image and settings, start beside the old ones. Once they are healthy the old ones stop in order:
# an API drains, a worker finishes its stages. If the new containers do not become healthy within ROLL_WITHIN seconds (300), they are
# removed, and the old ones keep running. Redis and PostgreSQL cannot run twice: they restart, and their clients retry. The proxy
# reloads its configuration.
set -euo pipefail
source "$(dirname "$0")/stack.sh"
within=${ROLL_WITHIN:-300}
(($#)) || fail "usage: deploy/roll.sh SERVICE..."

roll() { # SERVICE
  start_beside "$1"
  say "$1: waiting for ${#NEW[@]} new beside ${#OLD[@]} old"
  if ! wait_healthy "$within" "${NEW[@]}"; then
    docker logs --tail 20 "${NEW[0]}" >&2 || true
    remove "${NEW[@]}"
    fail "$1: the new containers did not become healthy; they are gone and the old ones go on. Their log is above."
  fi
  retire "${OLD[@]}"
  say "$1: replaced"
}

restart() { # SERVICE: a service with data
  docker compose --progress quiet up -d --no-deps --force-recreate "$1" >&2
  mapfile -t NEW < <(docker compose ps -q "$1")
  wait_healthy "$within" "${NEW[@]}" || fail "$1 is not healthy after its restart: docker compose logs $1"
  say "$1: restarted"
}

for service in "$@"; do
  case $service in
    redis | postgres) restart "$service" ;;
    proxy) docker compose exec -T proxy caddy reload --config /etc/caddy/Caddyfile --force >&2 && say "proxy: reloaded" ;;
    *) roll "$service" ;;
  esac
done
