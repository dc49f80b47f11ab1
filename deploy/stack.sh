# What the scripts of this folder do with containers; they source it. COMPOSE_PROJECT_NAME, COMPOSE_FILE and whatever
# else docker compose reads say which stack is meant; without them it is the one of docker-compose.yml.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

once() { # SERVICE PROGRAM ARGUMENTS...: run a program in a new container of the service, which is gone afterwards
  local service=$1 program=$2
  shift 2
  docker compose --progress quiet run --rm --no-deps -T --entrypoint "$program" "$service" "$@"
}

start_beside() { # SERVICE: as many new containers as are running; their ids come in NEW, those of the others in OLD
  local all
  mapfile -t OLD < <(docker compose ps -q "$1")
  ((${#OLD[@]})) || fail "No container of $1 is running; docker compose up -d $1 starts it."
  all=$(docker compose ps -aq "$1")
  docker compose --progress quiet up -d --no-deps --no-recreate --scale "$1=$((2 * ${#OLD[@]}))" "$1" >&2 || true
  mapfile -t NEW < <(docker compose ps -aq "$1" | grep -vxF "$all" || true)
  ((${#NEW[@]} >= ${#OLD[@]})) || { remove "${NEW[@]}"; fail "New containers of $1 could not be started; the old ones go on."; }
}

healthy() { # ID: its state of health; `healthy` where nothing checks it and it runs
  docker inspect -f '{{if not .State.Running}}{{.State.Status}}{{else if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}}' "$1"
}

wait_healthy() { # SECONDS ID...: false when one of them is not healthy by then
  local ends=$((SECONDS + $1)) id
  shift
  for id in "$@"; do
    until [[ $(healthy "$id") == healthy ]]; do
      ((SECONDS < ends)) || return 1
      sleep 0.5
    done
  done
}

retire() { # ID...: stop in order, all at once, each for as long as its service allows; then remove
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

query() { # SQL: its answer, bare
  docker compose exec -T postgres psql -U hilbert -d hilbert -XAtqc "$1"
}
