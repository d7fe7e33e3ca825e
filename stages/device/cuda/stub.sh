#!/bin/sh
# Builds a library with the names of the driver's functions and nothing in them, and prints the environment
# (for eval) in which `go build -tags cuda` links against it. What is linked so finds the machine's own
# libcuda.so.1, which comes with the driver, when it starts. Needs a C compiler and no CUDA toolkit.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# Always the same folder: go builds the packages with C code anew when the linker's flags change.
dir=$(go env GOCACHE)/openrs-cuda-stub
mkdir -p "$dir"
tmp=$(mktemp -d "$dir/XXXXXX")
trap 'rm -rf "$tmp"' EXIT
"$here/symbols.sh" | sed 's/.*/int &(void) { return 34; }/' >"$tmp/stub.c" # CUDA_ERROR_STUB_LIBRARY
cc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$tmp/libcuda.so" "$tmp/stub.c"
mv "$tmp/libcuda.so" "$dir/libcuda.so"

cat <<E2
export CGO_ENABLED=1
export CGO_CFLAGS='-O2 -I$here/include'
export CGO_LDFLAGS='-O2 -L$dir'
E2
