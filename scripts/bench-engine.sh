#!/usr/bin/env bash
# Tokens per second of the whole cluster against a bare libllama loop (Benchmarks/bare-llama), in alternating rounds:
# the same prompts, model, threads, step and cache sizes, greedy, eight streams, prefill included. Each round starts a
# cluster with an empty cache. The worker reuses common prefixes of prompts, so the loop is measured without and with.
#
#   ROUNDS=5 REQUESTS=32 MAX_TOKENS=64 THREADS=<cores> scripts/bench-engine.sh
#   Where llama.cpp's own server is built (scripts/setup.sh llama-server), it is measured beside: same source, same load.
#   PRIORITY=-15: on a machine that does other work too, gives all that is measured this nice value (needs root)
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${TOKENFACTORY_CACHE:-$HOME/.cache/tokenfactory}
prefix=$cache/prefix
model=${TOKENFACTORY_MODEL:-$cache/models/smollm2-135m-instruct-q8_0.gguf}
bin=${TOKENFACTORY_BIN:-.build/release}
rounds=${ROUNDS:-5} requests=${REQUESTS:-32} max_tokens=${MAX_TOKENS:-64} threads=${THREADS:-$(nproc)}
streams=8 context=16384 step_tokens=512
run=$(mktemp -d "${TMPDIR:-/tmp}/tokenfactory-bench.XXXXXX")
server=$cache/llama-server/llama-server
[[ -x $server ]] || server=
server_pid=
trap '[[ -z $server_pid ]] || kill "$server_pid" 2>/dev/null; "$bin/factory" down --directory "$run/cluster" >/dev/null 2>&1 || true; rm -rf "$run"' EXIT

mkdir -p "$cache/bench"
bare=$cache/bench/bare_llama
"${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra "-I$prefix/include" Benchmarks/bare-llama/bare_llama.c -o "$bare" \
    "-L$prefix/lib" "-Wl,-rpath,$prefix/lib" -ltfchat -lllama -lggml -lggml-base

# Linux weighs sessions before it weighs the processes in them.
prioritize() {
    [[ -z ${PRIORITY:-} ]] && return
    local pid
    for pid in "$@"; do
        renice -n "$PRIORITY" -p "$pid" >/dev/null
        if [[ -e /proc/$pid/autogroup ]]; then echo "$PRIORITY" >"/proc/$pid/autogroup"; fi
    done
}
prioritize $$

measure_bare() { # output, options
    local output=$1
    shift
    "$bare" --model "$model" --prompts "$run/prompts.txt" --streams $streams --requests "$requests" \
        --max-tokens "$max_tokens" --threads "$threads" --context $context --step-tokens $step_tokens \
        --sequences $((2 * streams)) "$@" >"$output"
}

measure_cluster() { # output
    rm -rf "$run/cluster"
    "$bin/factory" up --directory "$run/cluster" --engine llama --model "$model" --workers 1 --slots $streams \
        --context $context --threads "$threads" >/dev/null
    # shellcheck disable=SC2046 # one word for each process
    prioritize $("$bin/factory" status --directory "$run/cluster" | awk 'NR > 1 {print $2}')
    "$bin/loadgen" --door "$("$bin/factory" endpoint --directory "$run/cluster" client-door)" --streams $streams \
        --requests "$requests" --prompts "$run/prompts.txt" --max-tokens "$max_tokens" --temperature 0 --ignore-eos \
        --json "$1" >/dev/null
    "$bin/factory" down --directory "$run/cluster" >/dev/null
}

measure_server() { # output
    local port
    port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$server" --model "$model" --host 127.0.0.1 --port "$port" --parallel $streams --ctx-size $context \
        --threads "$threads" --ubatch-size $step_tokens >"$run/llama-server.log" 2>&1 &
    server_pid=$!
    prioritize $server_pid
    for ((i = 0; i < 600; i++)); do
        if python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' \
            "http://127.0.0.1:$port/health" 2>/dev/null; then break; fi
        sleep 0.1
    done
    "$bin/loadgen" --http "http://127.0.0.1:$port" --streams $streams --requests "$requests" \
        --prompts "$run/prompts.txt" --max-tokens "$max_tokens" --temperature 0 --ignore-eos --json "$1" >/dev/null
    kill $server_pid
    wait $server_pid || true
    server_pid=
}

scripts/bench-prompts.py "$requests" >"$run/prompts.txt"
echo "machine    $(awk -F': ' '/^model name/ {print $2; exit}' /proc/cpuinfo), $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)${PRIORITY:+, measured at nice $PRIORITY}"
echo "model      $(basename "$model"), $threads threads, $streams streams, $requests requests of $max_tokens tokens, greedy"
printf '%-6s %12s %12s %12s %8s %8s   %s\n' round cluster bare bare+prefix ratio ratio+p load
for ((round = 1; round <= rounds; round++)); do
    # What runs first alternates, so that a drift of the machine favours neither.
    if ((round % 2)); then
        measure_cluster "$run/cluster-$round.json"
        measure_bare "$run/bare-$round.json"
        measure_bare "$run/prefix-$round.json" --share-prefix
    else
        measure_bare "$run/prefix-$round.json" --share-prefix
        measure_bare "$run/bare-$round.json"
        measure_cluster "$run/cluster-$round.json"
    fi
    if [[ -n $server ]]; then measure_server "$run/server-$round.json"; fi
    python3 - "$run" "$round" <<'PY'
import json, os, sys

run, round = sys.argv[1:]
cluster, bare, prefix = (json.load(open(f"{run}/{name}-{round}.json")) for name in ("cluster", "bare", "prefix"))
if cluster["total_input_tokens"] != bare["prompt_tokens"] or cluster["total_output_tokens"] != bare["tokens"]:
    sys.exit(f"not the same work: {cluster['total_input_tokens']} in and {cluster['total_output_tokens']} out, bare: "
             f"{bare['prompt_tokens']} and {bare['tokens']}")
if os.path.exists(f"{run}/server-{round}.json"):
    server = json.load(open(f"{run}/server-{round}.json"))
    if server["total_output_tokens"] != cluster["total_output_tokens"]:
        sys.exit(f"not the same work: llama-server made {server['total_output_tokens']} tokens")
c, b, p = cluster["output_throughput"], bare["tokens_per_second"], prefix["tokens_per_second"]
print(f"{round:<6} {c:10.1f}/s {b:10.1f}/s {p:10.1f}/s {c / b:8.3f} {c / p:8.3f}   {os.getloadavg()[0]:.1f}", flush=True)
PY
done
python3 - "$run" "$rounds" <<'PY'
import json, os, statistics, sys

run, rounds = sys.argv[1], int(sys.argv[2])
def read(name, key): return [json.load(open(f"{run}/{name}-{i}.json"))[key] for i in range(1, rounds + 1)]
cluster = read("cluster", "output_throughput")
def line(what, values, digits): return f"{what:<34} {statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
bare, prefix = read("bare", "tokens_per_second"), read("prefix", "tokens_per_second")
print("median (least to most)")
print(line("  cluster, tokens/s", cluster, 1))
print(line("  bare loop, tokens/s", bare, 1))
print(line("  bare, common prefix once, tokens/s", prefix, 1))
if os.path.exists(f"{run}/server-1.json"):
    server = read("server", "output_throughput")
    print(line("  llama-server, tokens/s", server, 1))
    print(line("  cluster / llama-server", [a / b for a, b in zip(cluster, server)], 3))
print(line("  cluster / bare", [a / b for a, b in zip(cluster, bare)], 3))
print(line("  cluster / bare with prefix", [a / b for a, b in zip(cluster, prefix)], 3))
cached, given = read("cluster", "total_cached_tokens")[0], read("cluster", "total_input_tokens")[0]
print(f"  prompt tokens {given}, of which the cluster found {cached} in its cache")
PY
