#!/usr/bin/env bash
# The container test: the line of compose.yaml under load, scaled, with a worker killed. Needs a Docker engine
# (DOCKER_HOST), docker compose or docker-compose, and Python 3.
#
# TOKENFACTORY_IMAGES  prebuilt: the image is made around the executables of `make release`, their libraries and the
#                      cached model; source (default): it is built with docker/Dockerfile, which takes long
# TOKENFACTORY_IMAGE   tests this image as it is
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  printf 'test-compose: error: %s\n' "$@" >&2
  exit 1
}

command -v docker >/dev/null || fail "there is no docker command"
docker info >/dev/null 2>&1 || fail "no Docker engine answers at ${DOCKER_HOST:-its standard socket}"

# What of an executable's libraries the base image's packages do not bring.
foreign_libraries() {
  LD_LIBRARY_PATH=$prefix/lib ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// && $3 !~ /^\/(usr\/)?lib(64)?\// {print $3}' | sort -u
}

prepare() {
  local context=$1 cache=${TOKENFACTORY_CACHE:-$HOME/.cache/tokenfactory} programs=() name
  local prefix=${TOKENFACTORY_PREFIX:-$cache/prefix}
  rm -rf "$context"
  mkdir -p "$context"/{bin,lib,models}
  for name in ingest tokenizer inference-worker accounting loadgen factory export-tokenizer; do
    [[ -x .build/release/$name ]] || fail ".build/release/$name is missing" "run make release, or leave TOKENFACTORY_IMAGES out"
    cp -L ".build/release/$name" "$context/bin/"
    programs+=(".build/release/$name")
  done
  strip "$context"/bin/* 2>/dev/null || true
  while read -r name; do cp -L "$name" "$context/lib/"; done < <(foreign_libraries "${programs[@]}")
  # Compute libraries that libllama opens while it runs.
  find "$prefix/lib" -maxdepth 1 -name 'libggml-*.so' -exec cp -Ln {} "$context/lib/" \;
  local models=("$cache"/models/*.gguf)
  [[ -s ${models[0]} ]] || fail "no model in $cache/models" "run make setup"
  cp "${models[0]}" "$context/models/model.gguf"
  cp docker/init.sh "$context/init.sh"
}

if [[ -z ${TOKENFACTORY_IMAGE:-} ]]; then
  export TOKENFACTORY_IMAGE=token-factory:test
  case ${TOKENFACTORY_IMAGES:-source} in
    prebuilt)
      context=.build/compose-image
      echo "making the image around .build/release"
      prepare "$context"
      docker build --network host -q -t "$TOKENFACTORY_IMAGE" -f docker/Dockerfile.prebuilt "$context"
      rm -rf "$context"
      ;;
    source) docker build --network host -t "$TOKENFACTORY_IMAGE" -f docker/Dockerfile . ;;
    *) fail "TOKENFACTORY_IMAGES is prebuilt or source" ;;
  esac
fi
exec python3 Tests/Compose/compose_test.py
