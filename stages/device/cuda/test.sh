#!/bin/sh
# Runs the CUDA tests: on the fake driver, which executes the PTX that ships and needs no GPU, or on a GPU.
#
#   stages/device/cuda/test.sh                     go test -tags cuda ./stages/device/cuda/...
#   stages/device/cuda/test.sh -run Gemm ./stages/device/cuda
#                                                  go test -tags cuda with these arguments
#   stages/device/cuda/test.sh --exec CMD…         any command in the same environment, such as a pipeline
#   stages/device/cuda/test.sh --real [ARGS…]      the same tests on this machine's GPUs and their driver
#   stages/device/cuda/test.sh --real -c -o cuda.test ./stages/device/cuda
#                                                  the test binary, for a machine that has GPUs and no Go
#   OPENRS_TEST_DEVICE=cuda stages/device/cuda/test.sh [--real] -run Golden ./stages/model ./update/...
#                                                  the tests of models and training on GPUs
#
# With --real, tests of what only the fake reports are left out, and those that need more GPUs than there are
# skip and say so.
#
# Needs go, a C compiler and, for the fake, clang++-14. What it builds is kept in
# ${OPENRS_FAKE_CACHE:-the user's cache folder/openrs-fakecuda} and rebuilt when a source changes.
# Settings of the fake: fake/README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)

if [ "${1:-}" = --real ]; then
	shift
	env=$("$here/stub.sh")
	eval "$env"
	cd "$root"
	[ $# -gt 0 ] || set -- -v ./stages/device/cuda ./stages/device/cuda/driver
	exec go test -tags cuda -count=1 "$@" # go does not know when the driver or the GPU has changed
fi

cache=${OPENRS_FAKE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/openrs-fakecuda}
env=$("$here/fake/build.sh" "$cache")
eval "$env"

if [ "${1:-}" = --exec ]; then
	shift
	exec "$@"
fi
cd "$root"
[ $# -gt 0 ] || set -- ./stages/device/cuda/...
# go does not know the fake's settings, and a first run compiles all kernels for it.
exec go test -tags cuda -count=1 -timeout 30m "$@"
