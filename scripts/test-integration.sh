#!/usr/bin/env bash
# Integration tests: real processes of the release build, real clients (pyzmq, OpenAI's library), real signals.
#   scripts/test-integration.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${TOKENFACTORY_CACHE:-$HOME/.cache/tokenfactory}
venv=$cache/venv-integration
requirements=Tests/Integration/requirements.txt
if ! cmp -s "$requirements" "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/installed.txt"
fi
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider Tests/Integration "$@"
