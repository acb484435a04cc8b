#!/usr/bin/env bash
# Four services on loopback, real prompts through them, their answers, where the time went, what it cost; then stops all.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.build/release
run=$(mktemp -d "${TMPDIR:-/tmp}/tokenfactory-demo.XXXXXX")
trap '"$bin/factory" down --directory "$run" >/dev/null 2>&1 || true; rm -rf "$run"' EXIT

"$bin/factory" up --directory "$run" --engine llama --workers "${WORKERS:-1}"
endpoint() { "$bin/factory" endpoint --directory "$run" "$1"; }
door=$(endpoint client-door)
ledger=http://$(endpoint accounting-http)

echo
"$bin/loadgen" --door "$door" --ledger "$ledger" --streams "${STREAMS:-4}" --requests "${REQUESTS:-8}" \
    --max-tokens "${MAX_TOKENS:-48}" --temperature 0 --hops --show-answers
echo
"$bin/factory" report --directory "$run"
echo
"$bin/factory" audit --directory "$run"
"$bin/factory" down --directory "$run"
