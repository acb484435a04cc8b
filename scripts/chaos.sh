#!/usr/bin/env bash
# Load, rude clients and faults on real programs, then a check of every answer against the ledger: Tests/Chaos.
#   scripts/chaos.sh [arguments of Tests/Chaos/chaos.py; --help tells them]
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(scripts/integration-python.sh)
exec "$python" Tests/Chaos/chaos.py "$@"
