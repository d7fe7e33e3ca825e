#!/bin/sh
# Runs the CUDA suite on the fake driver, which executes the PTX that ships; no GPU is needed.
#
#   stages/device/cuda/test.sh                     go test -tags cuda ./stages/device/cuda/...
#   stages/device/cuda/test.sh -run Gemm ./stages/device/cuda
#                                                  go test -tags cuda with these arguments
#   stages/device/cuda/test.sh --exec CMD…         any command in the same environment, such as a pipeline
#
# Needs g++, clang++-14 (the translated kernels) and go. What it builds is kept in
# ${OPENRS_FAKE_CACHE:-the user's cache folder/openrs-fakecuda} and rebuilt when a source changes.
# Settings of the fake: fake/README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cache=${OPENRS_FAKE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/openrs-fakecuda}

env=$("$here/fake/build.sh" "$cache")
eval "$env"

if [ "${1:-}" = --exec ]; then
	shift
	exec "$@"
fi
cd "$root"
[ $# -gt 0 ] || set -- ./stages/device/cuda/...
exec go test -tags cuda "$@"
