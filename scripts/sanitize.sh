#!/usr/bin/env bash
# The unit tests under sanitizers, each in a build of its own (.build/sanitize), so that the ordinary one stays as it is.
#
#   scripts/sanitize.sh [address] [thread] [-- arguments of swift test]      default: both
#
# Address Sanitizer runs all of them, Thread Sanitizer those of sockets, reactors, spools and stations. libzmq, SQLite,
# libllama and the Swift runtime are not instrumented: Tests/Sanitize says what is left out because of that. From empty
# a build takes more than ten minutes on two cores, which is why CI has none.
set -euo pipefail
cd "$(dirname "$0")/.."
kinds=()
while (($#)); do
  case $1 in
    address | thread) kinds+=("$1") ;;
    --) shift; break ;;
    *) echo "sanitize: unknown argument $1" >&2; exit 2 ;;
  esac
  shift
done
((${#kinds[@]})) || kinds=(address thread)

# Swift's own backtraces take minutes of a sanitized program, and say what the sanitizer says.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS=detect_leaks=0:suppressions=$PWD/Tests/Sanitize/address.txt:${ASAN_OPTIONS:-}
export TSAN_OPTIONS=suppressions=$PWD/Tests/Sanitize/thread.txt:${TSAN_OPTIONS:-}
status=0
for kind in "${kinds[@]}"; do
  # One test after another: the deadlines in them are for ordinary programs.
  filter=(--no-parallel)
  [[ $kind == address ]] ||
    filter=(--filter '^(TransportTests|ZMTPTests|SpoolTests|IngestServiceTests|AccountingServiceTests|AdminDoorTests)\.')
  log=.build/sanitize/$kind.log
  mkdir -p .build/sanitize
  echo "sanitize: $kind"
  build=(--sanitize "$kind" --scratch-path ".build/sanitize/$kind")
  swift build --build-tests "${build[@]}" >"$log" 2>&1 || { grep -E 'error' "$log" | tail -n 20; exit 1; }
  swift test --skip-build "${build[@]}" "${filter[@]}" "$@" >"$log" 2>&1 || status=1
  grep -E '✘|recorded an issue|Test run with|^SUMMARY: |error:' "$log" | sort | uniq -c | sort -rn | head -n 40 || true
  ! grep -q '^SUMMARY: ' "$log" || status=1
  echo "sanitize: the whole of it: $log"
done
exit $status
