#!/usr/bin/env bash
# Other people's clients against the door, unchanged: Tests/Integration/test_clients.py in an environment of its own.
#   scripts/test-clients.sh [--latest] [pytest arguments]
# Versions are those of Tests/Integration/clients.txt; with --latest the newest there are, so that a change is known.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${TOKENFACTORY_CACHE:-$HOME/.cache/tokenfactory}
requirements=Tests/Integration/clients.txt
venv=$cache/venv-clients
if [ "${1:-}" = --latest ]; then
  shift
  venv=$cache/venv-clients-latest
  rm -rf "$venv"
  python3 -m venv "$venv"
  # Which newest versions go together is for uv: pip tries one after the other for many minutes.
  "$venv/bin/pip" install --quiet --disable-pip-version-check uv
  sed 's/==.*//' "$requirements" | UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-https://pypi.org/simple}} \
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" -r /dev/stdin
  "$venv/bin/pip" list --disable-pip-version-check | grep -i -f <(sed 's/\[.*//; s/==.*//; s/^/^/; s/$/ /' "$requirements")
elif ! cmp -s "$requirements" "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/installed.txt"
fi
export TOKENFACTORY_ALL_CLIENTS=1
exec "$venv/bin/python" -m pytest -q --disable-warnings -p no:cacheprovider Tests/Integration/test_clients.py "$@"
