#!/usr/bin/env bash
# hopbench line against the containers of compose.yaml with a simulated engine of no cost. Needs a Docker engine
# (DOCKER_HOST), docker compose or docker-compose, and an image: TOKENFACTORY_IMAGE, or token-factory from
# `docker compose build`.
#
#   scripts/bench-compose.sh [options of hopbench line]
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  printf 'bench-compose: error: %s\n' "$@" >&2
  exit 1
}

command -v docker >/dev/null || fail "there is no docker command"
docker info >/dev/null 2>&1 || fail "no Docker engine answers at ${DOCKER_HOST:-its standard socket}"
hopbench=${TOKENFACTORY_BIN:-.build/release}/hopbench
[[ -x $hopbench ]] || fail "$hopbench is missing: run make release"

compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-tokenfactory-bench}
export TOKENFACTORY_ENGINE=simulated TOKENFACTORY_TIME_SCALE=0
trap 'compose down --volumes --timeout 40 >/dev/null 2>&1 || true' EXIT
compose up -d
for ((second = 0; ; second++)); do
  curl -fs "http://127.0.0.1:${TOKENFACTORY_HTTP_PORT:-8080}/healthz" >/dev/null && break
  ((second < 180)) || fail "the line is not whole after 180 s; docker logs says why"
  sleep 1
done

# The keys that `up` made.
made() { compose run --rm --no-deps -T --entrypoint cat "$@" | tr -d '\r'; }
TOKENFACTORY_KEY=$(made loadgen /site/client/api-key)
TOKENFACTORY_SERVER_KEY=$(made init /site/public/ingest.pub | head -n 1)
export TOKENFACTORY_KEY TOKENFACTORY_SERVER_KEY
"$hopbench" line \
  --door "tcp://127.0.0.1:${TOKENFACTORY_CLIENT_PORT:-7700}" --http "127.0.0.1:${TOKENFACTORY_HTTP_PORT:-8080}" "$@"
