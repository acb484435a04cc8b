#!/usr/bin/env bash
# Integration tests: real processes of the release build, real clients (pyzmq, OpenAI's library), real signals.
#   scripts/test-integration.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(scripts/integration-python.sh)
exec "$python" -m pytest -q -p no:cacheprovider Tests/Integration "$@"
