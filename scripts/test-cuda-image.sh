#!/usr/bin/env bash
# Builds the worker's image with the build argument CUDA=ON and looks at what came of it: the CUDA backend is there with
# every library but the driver's, it holds code for GPUs, and the same image still serves with the CPU where there is no
# driver. Needs a Docker engine (DOCKER_HOST) and Debian's non-free packages; takes an hour on two cores.
#
# TOKENFACTORY_GPU_IMAGE           tests this image as it is
# TOKENFACTORY_CUDA_ARCHITECTURES  for which GPUs (default 80-virtual)
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  printf 'test-cuda-image: error: %s\n' "$@" >&2
  exit 1
}

docker info >/dev/null 2>&1 || fail "no Docker engine answers at ${DOCKER_HOST:-its standard socket}"
image=${TOKENFACTORY_GPU_IMAGE:-}
if [[ -z $image ]]; then
  image=token-factory-cuda
  docker build --network host --build-arg CUDA=ON \
    --build-arg "CUDA_ARCHITECTURES=${TOKENFACTORY_CUDA_ARCHITECTURES:-80-virtual}" -t "$image" -f docker/Dockerfile .
fi
backend=/usr/local/lib/tokenfactory/libggml-cuda.so
inside() { docker run --rm --entrypoint bash "$image" -c "$1"; }

missing=$(inside "ldd $backend" | awk '/not found/ {print $1}' | sort -u | xargs) ||
  fail "$image has no $backend"
[[ $missing == libcuda.so.1 ]] || fail "of $backend's libraries these are missing: $missing" "only libcuda.so.1 may, the driver's"
echo "passed  the CUDA backend has every library but the driver's"

inside "grep -q -a '\.nv_fatbin' $backend" || fail "$backend holds no code for GPUs"
size=$(inside "stat -c %s $backend")
echo "passed  it holds code for GPUs ($((size >> 20)) MB)"

# shellcheck disable=SC2016 # the container's shell runs it
answer=$(inside '
  export TOKENFACTORY_SPOOL_DIRECTORY=/tmp/run/spool
  factory up --directory /tmp/run --engine llama >/tmp/up.log 2>&1 || { cat /tmp/up.log /tmp/run/*.log; exit 1; }
  loadgen --door "$(factory endpoint --directory /tmp/run client-door)" --streams 1 --requests 2 --max-tokens 8 \
    --temperature 0 || { cat /tmp/run/*.log; exit 1; }
  factory down --directory /tmp/run >/dev/null') ||
  fail "the image does not serve without a driver:" "$answer"
grep -E '^requests' <<<"$answer"
echo "passed  without a driver the same image serves with the CPU"

if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then
  docker run --rm --gpus all --entrypoint bash "$image" -c '
    factory up --directory /tmp/run --engine llama >/tmp/up.log 2>&1 || { cat /tmp/up.log /tmp/run/*.log; exit 1; }
    loadgen --door "$(factory endpoint --directory /tmp/run client-door)" --streams 8 --requests 64 --max-tokens 64
    grep -h -i cuda /tmp/run/*.log' || fail "the image does not serve with the GPU"
  echo "passed  the GPU serves"
else
  echo "left out  no GPU is here: the kernels were built and not run"
fi
