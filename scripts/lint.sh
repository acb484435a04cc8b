#!/usr/bin/env bash
# What changes are held to beside tests: format, shell scripts, Python, modules and their imports, one version.
#   scripts/lint.sh [format|shell|python|modules|version ...]    default: all
set -euo pipefail
cd "$(dirname "$0")/.."
readonly ruff_version=0.17.6

check_format() {
  swift format lint --strict --recursive --parallel Package.swift Shared Services Tools Tests \
    Benchmarks/Package.swift Benchmarks/Sources
}

check_shell() {
  command -v shellcheck >/dev/null || scripts/setup.sh apt
  local scripts
  mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
  shellcheck -x "${scripts[@]}"
}

check_python() {
  local venv=${TOKENFACTORY_CACHE:-$HOME/.cache/tokenfactory}/venv-ruff-$ruff_version
  if [[ ! -x $venv/bin/ruff ]]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "ruff==$ruff_version"
  fi
  "$venv/bin/ruff" check --quiet Tests examples scripts
}

check_modules() { scripts/check-modules.py; }

# The programs, the images and the changelog say the same version.
check_version() {
  local version file
  version=$(sed -n 's/.*static let text = "\(.*\)"/\1/p' Shared/Release/ProductVersion.swift)
  for file in docker/Dockerfile docker/Dockerfile.prebuilt; do
    grep -qx "ARG VERSION=$version" "$file" || { echo "lint: $file: ARG VERSION is not $version" >&2; return 1; }
  done
  [[ $(sed -n 's/^## \[\([0-9].*\)\].*/\1/p' CHANGELOG.md | head -n 1) == "$version" ]] ||
    { echo "lint: CHANGELOG.md: its first version is not $version" >&2; return 1; }
}

checks=("$@")
((${#checks[@]})) || checks=(format shell python modules version)
failed=()
for check in "${checks[@]}"; do "check_$check" || failed+=("$check"); done
if ((${#failed[@]})); then
  echo "lint: failed: ${failed[*]}" >&2
  exit 1
fi
