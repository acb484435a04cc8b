#!/usr/bin/env bash
# Prints the Python that the integration tests and the chaos run use, with their pinned packages; makes it when needed.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${TOKENFACTORY_CACHE:-$HOME/.cache/tokenfactory}
venv=$cache/venv-integration
requirements=Tests/Integration/requirements.txt
if ! cmp -s "$requirements" "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
  cp "$requirements" "$venv/installed.txt"
fi
echo "$venv/bin/python"
