#!/usr/bin/env bash
# What an idempotency key costs: the same load with a key in each request and without, in alternating rounds, on one
# cluster with a zero-cost simulated engine. A key is claimed in the ledger, on disk, before work starts.
#
#   ROUNDS=7 REQUESTS=1000 STREAMS="1 16" scripts/bench-claims.sh
#   LIMIT=10: exit status 1 where the median of rounds adds more milliseconds than that to p50
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${TOKENFACTORY_BIN:-.build/release}
rounds=${ROUNDS:-7} requests=${REQUESTS:-1000} streams=${STREAMS:-1 16} limit=${LIMIT:-10}
run=$(mktemp -d "${TMPDIR:-/tmp}/tokenfactory-claims.XXXXXX")
trap '"$bin/factory" down --directory "$run/cluster" >/dev/null 2>&1 || true; rm -rf "$run"' EXIT

"$bin/factory" up --directory "$run/cluster" --engine simulated --time-scale 0 --workers 1 --slots 64 >/dev/null
door=$("$bin/factory" endpoint --directory "$run/cluster" client-door)
http=http://$("$bin/factory" endpoint --directory "$run/cluster" http)

measure() { # name, options
    local name=$1
    shift
    "$bin/loadgen" "$@" --requests "$requests" --prompt-tokens 32 --max-tokens 1 --ignore-eos --temperature 0 \
        --json "$run/$name.json" >/dev/null 2>"$run/log" || { cat "$run/log" >&2; return 1; }
}

for count in $streams; do
    for target in "--door $door" "--http $http"; do
        for ((round = 0; round <= rounds; round++)); do  # The first warms up.
            kinds=(plain keyed)
            ((round % 2)) && kinds=(keyed plain)
            for kind in "${kinds[@]}"; do
                # shellcheck disable=SC2206 # a flag and its value
                options=($target --streams "$count" --seed $((round + 1)))
                [[ $kind == plain ]] || options+=(--idempotency-keys)
                measure "${target:2:4}-$count-$kind-$round" "${options[@]}"
            done
        done
    done
done
"$bin/factory" audit --directory "$run/cluster" >"$run/audit" || { cat "$run/audit" >&2; echo "bench-claims: the audit fails" >&2; exit 1; }

# shellcheck disable=SC2086 # one or several counts
python3 - "$run" "$rounds" "$limit" $streams <<'PYTHON'
import json
import statistics
import sys

run, rounds, limit, streams = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
worst = 0.0
print(f"latency in ms, {rounds} rounds in alternation; what a claim adds: median (least to most) of rounds")
print(f"{'door':<8}{'streams':>8}{'p50 plain':>12}{'p50 keyed':>12}{'adds to p50':>26}{'adds to p99':>26}")
for door, name in (("door", "ZeroMQ"), ("http", "HTTP")):
    for count in streams:
        def figures(kind, percentile):
            found = []
            for number in range(1, rounds + 1):
                with open(f"{run}/{door}-{count}-{kind}-{number}.json") as file:
                    found.append(json.load(file)[f"{percentile}_e2el_ms"])
            return found

        def added(percentile):
            return [a - b for a, b in zip(figures("keyed", percentile), figures("plain", percentile))]

        def spread(values):
            return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"

        print(f"{name:<8}{count:>8}{statistics.median(figures('plain', 'median')):>12.2f}"
              f"{statistics.median(figures('keyed', 'median')):>12.2f}{spread(added('median')):>26}"
              f"{spread(added('p99')):>26}")
        worst = max(worst, statistics.median(added("median")))
sys.exit(f"bench-claims: {worst:.2f} ms at p50 is more than {limit:g}" if worst > limit else 0)
PYTHON
