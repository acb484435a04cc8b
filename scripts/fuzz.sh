#!/usr/bin/env bash
# Fuzzes what peers, clients, disks and operators may damage, with libFuzzer and Address Sanitizer: Tests/Fuzz.
#
#   scripts/fuzz.sh [--seconds 20] [--build-only] [target...]     targets: the names in Tests/Fuzz/Targets; default: all
#
# The modules under test are compiled by swiftc alone, instrumented; what they need of packages is the debug build's. A
# minute for all of them.
# Seeds are committed (Tests/Fuzz/Corpus, and the wire's vectors); what a run finds new gathers in .build/fuzz/corpus, so
# that the next one goes on from there. An input that crashes is kept in .build/fuzz/crashes, and the command that runs
# it again is printed.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${TOKENFACTORY_CACHE:-$HOME/.cache/tokenfactory}
prefix=${TOKENFACTORY_PREFIX:-$cache/prefix}
out=.build/fuzz
seconds=20 build_only="" targets=()
while (($#)); do
  case $1 in
    --seconds) seconds=$2; shift ;;
    --build-only) build_only=1 ;;
    -*) echo "fuzz: unknown option $1" >&2; exit 2 ;;
    *) targets+=("$1") ;;
  esac
  shift
done
if ((!${#targets[@]})); then
  for file in Tests/Fuzz/Targets/*.swift; do targets+=("$(basename "$file" .swift)"); done
fi

mkdir -p $out/bin $out/modules $out/crashes
# shellcheck disable=SC2054 # the comma is the compiler's
flags=(-O -swift-version 6 -enable-testing -parse-as-library -wmo -enable-experimental-feature Lifetimes
  -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
  -enable-upcoming-feature MemberImportVisibility -enable-upcoming-feature NonisolatedNonsendingByDefault
  -enable-upcoming-feature InferIsolatedConformances -enable-upcoming-feature ImmutableWeakCaptures
  -sanitize=fuzzer,address -I "$out/modules" -I .build/debug/Modules -I Shared/CLinux)

# module NAME FILES...: an instrumented module, made again when one of its files is newer.
module() {
  local name=$1
  shift
  if [[ -e $out/modules/$name.o && -z $(find "$@" scripts/fuzz.sh -newer "$out/modules/$name.o" -print -quit) ]]; then
    return
  fi
  echo "fuzz: compiling $name"
  swiftc "${flags[@]}" -Xcc "-I$prefix/include" -I Shared/CLlama -module-name "$name" -emit-module \
    -emit-module-path "$out/modules/$name.swiftmodule" -c "$@" -o "$out/modules/$name.o"
  # The compiler leaves a file that would not change as it is.
  touch "$out/modules/$name.o"
}

# Of the larger modules, the files that read: what they need and no package beside.
modules_of() {
  case $1 in
    wire) module Wire Shared/Wire/*.swift; uses=(Wire) ;;
    zmtp) module ZMTP Shared/ZMTP/*.swift; uses=(ZMTP) ;;
    spool)
      module Wire Shared/Wire/*.swift
      module Formats Shared/Formats/*.swift
      module Spool Shared/Spool/*.swift
      uses=(Wire Formats Spool) ;;
    http-body)
      module Formats Shared/Formats/*.swift
      module OpenAIDoor Services/Ingest/OpenAIDoor/Reading/*.swift Services/Ingest/OpenAIDoor/Backend/DoorRequest.swift \
        Services/Ingest/OpenAIDoor/Backend/{DoorOutcome,DoorTokens}.swift
      uses=(Formats OpenAIDoor) ;;
    http-head)
      # The parser is NIO's, taken as the debug build has made it.
      [[ -e .build/debug/Modules/NIOEmbedded.swiftmodule ]] || swift build --target NIOEmbedded
      local map
      for map in .build/debug/CNIO*.build/module.modulemap .build/checkouts/*/Sources/_AtomicsShims/include/*.modulemap; do
        flags+=(-Xcc "-fmodule-map-file=$map")
      done
      module DoorHeads Services/Ingest/OpenAIDoor/Serving/{Route,RequestLabels}.swift \
        Services/Ingest/OpenAIDoor/Reading/APIError.swift Services/Ingest/OpenAIDoor/Backend/DoorOutcome.swift
      uses=(DoorHeads)
      while IFS= read -r file; do ready+=("$file"); done < <(
        find -L .build/debug/{NIO,NIOCore,NIOConcurrencyHelpers,NIOEmbedded,NIOHTTP1,NIOPosix,_NIOBase64}.build \
          .build/debug/{_NIODataStructures,DequeModule,ContainersPreview,InternalCollectionsUtilities}.build \
          .build/debug/{Atomics,_AtomicsShims}.build \
          .build/debug/CNIO{Atomics,Darwin,FreeBSD,LLHTTP,Linux,OpenBSD,Posix,WASI,Windows}.build -name '*.o') ;;
    trace)
      module Wire Shared/Wire/*.swift
      module Formats Shared/Formats/*.swift
      module LoadGenerator Tools/LoadGenerator/Core/{Trace,ServiceObjectives,JSONCoding,LoadDoor,LoadRequest,ArrivalPattern}.swift \
        Tools/LoadGenerator/Core/{RandomPrompts,SeededGenerator,RandomVariate,Figure,LengthDistribution}.swift
      uses=(Wire Formats LoadGenerator) ;;
    chat-template | gguf)
      module Llama Shared/Llama/*.swift
      uses=(Llama) ;;
    keys)
      # Its hashes are swift-crypto's, taken as the debug build has made them.
      [[ -e .build/debug/Modules/Crypto.swiftmodule ]] || swift build --target Keys
      module Formats Shared/Formats/*.swift
      module Keys Shared/Keys/{ClientKey,KeyDigest,KeyFile,KeyTable,RateBucket}.swift
      uses=(Formats Keys)
      while IFS= read -r file; do ready+=("$file"); done < <(
        find -L .build/debug/{Crypto,CryptoBoringWrapper,CCryptoBoringSSL,CCryptoBoringSSLShims,CXKCP,CXKCPShims}.build \
          -name '*.o') ;;
    *) echo "fuzz: no target $1" >&2; exit 2 ;;
  esac
}

build() {
  local target=$1 uses=() ready=() objects=() libraries=()
  modules_of "$target"
  for name in "${uses[@]}"; do objects+=("$out/modules/$name.o"); done
  [[ ${uses[*]} != *Llama* ]] || libraries=(-L "$prefix/lib" -Xlinker -rpath -Xlinker "$prefix/lib")
  swiftc "${flags[@]}" -Xcc "-I$prefix/include" -I Shared/CLlama -module-name "fuzz_${target//-/_}" \
    "Tests/Fuzz/Targets/$target.swift" "${objects[@]}" "${ready[@]}" "${libraries[@]}" -o "$out/bin/$target" \
    2> >(grep -v 'Cannot export local symbol' >&2)
}

seeds_of() {
  local seeds=$out/seeds/$1
  rm -rf "$seeds"
  mkdir -p "$seeds" "$out/corpus/$1"
  [[ ! -d Tests/Fuzz/Corpus/$1 ]] || cp -r "Tests/Fuzz/Corpus/$1/." "$seeds"
  if [[ $1 == wire ]]; then
    python3 -c 'import pathlib, sys
for path in pathlib.Path("Tests/WireTests/Vectors").glob("*.hex"):
    (pathlib.Path(sys.argv[1]) / path.stem).write_bytes(bytes.fromhex(path.read_text()))' "$seeds"
  fi
}

failed=()
for target in "${targets[@]}"; do
  build "$target"
  [[ -z $build_only ]] || continue
  seeds_of "$target"
  echo "fuzz: $target, $seconds s"
  # Swift's own backtraces take minutes of a sanitized program, and say what libFuzzer says.
  command=(env SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0
    TOKENFACTORY_MODEL="${TOKENFACTORY_MODEL:-$cache/models/smollm2-135m-instruct-q8_0.gguf}" "$out/bin/$target")
  log=$out/$target.log
  if ! "${command[@]}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -detect_leaks=0 -print_final_stats=1 \
    -artifact_prefix="$out/crashes/$target-" "$out/corpus/$target" "$out/seeds/$target" >"$log" 2>&1; then
    tail -n 30 "$log"
    failed+=("$target")
    # shellcheck disable=SC2012 # names are libFuzzer's own: a word and a hash
    echo "fuzz: again: scripts/fuzz.sh --build-only $target && ${command[*]} $(ls -t "$out/crashes/$target-"* | head -n 1)"
    continue
  fi
  awk '/^stat::number_of_executed_units/ {runs = $2} /cov:/ {for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1)}
       END {printf "fuzz:   %d inputs, %d edges covered\n", runs, cov}' "$log"
done
if ((${#failed[@]})); then
  echo "fuzz: FOUND something in: ${failed[*]}" >&2
  exit 1
fi
