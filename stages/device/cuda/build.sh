#!/bin/sh
# build.sh [-o DIR] builds the five binaries for GPUs into DIR (default: bin). The machine that builds
# needs a C compiler and no CUDA toolkit; the one that runs them needs the driver, for its libcuda.so.1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
out=$root/bin
while getopts o: flag; do
	case $flag in
	o) out=$OPTARG ;;
	*) echo "usage: build.sh [-o DIR]" >&2 && exit 2 ;;
	esac
done
mkdir -p "$out"
out=$(cd "$out" && pwd)

env=$("$here/stub.sh")
eval "$env"
cd "$root"
go build -trimpath -tags cuda -o "$out" ./curate ./generate ./score ./update ./evaluate
