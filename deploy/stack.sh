# Functions of the scripts in this folder, which source this file. COMPOSE_PROJECT_NAME, COMPOSE_FILE and the other variables of
# docker compose select the stack; by default it is that of docker-compose.yml.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

once() { # SERVICE PROGRAM ARGUMENTS...: run a program in a temporary container of the service
  local service=$1 program=$2
  shift 2
  docker compose --progress quiet run --rm --no-deps -T --entrypoint "$program" "$service" "$@"
}

start_beside() { # SERVICE: start as many new containers as are running; sets NEW to their ids and OLD to those of the others
  local all
  mapfile -t OLD < <(docker compose ps -q "$1")
  ((${#OLD[@]})) || fail "No container of $1 is running; docker compose up -d $1 starts it."
  all=$(docker compose ps -aq "$1")
  docker compose --progress quiet up -d --no-deps --no-recreate --scale "$1=$((2 * ${#OLD[@]}))" "$1" >&2 || true
  mapfile -t NEW < <(docker compose ps -aq "$1" | grep -vxF "$all" || true)
  ((${#NEW[@]} >= ${#OLD[@]})) || { remove "${NEW[@]}"; fail "New containers of $1 could not be started; the old ones go on."; }
}

healthy() { # ID: print its health; `healthy` if it runs and has no health check
  docker inspect -f '{{if not .State.Running}}{{.State.Status}}{{else if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}}' "$1"
}

wait_healthy() { # SECONDS ID...: fails when one of them is not healthy in time
  local ends=$((SECONDS + $1)) id
  shift
  for id in "$@"; do
    until [[ $(healthy "$id") == healthy ]]; do
      ((SECONDS < ends)) || return 1
      sleep 0.5
    done
  done
}

retire() { # ID...: stop gracefully, all at once, each within its grace period; then remove
  local id
  (($#)) || return 0
  for id in "$@"; do docker stop "$id" >/dev/null & done
  wait
  docker rm -fv "$@" >/dev/null
}

remove() { # ID...: at once
  (($#)) || return 0
  docker rm -fv "$@" >/dev/null
}

query() { # SQL: print the bare result
  docker compose exec -T postgres psql -U hilbert -d hilbert -XAtqc "$1"
}
