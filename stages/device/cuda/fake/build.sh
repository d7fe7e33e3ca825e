#!/bin/sh
# build.sh CACHE builds the fake libcuda.so.1 and the PTX translator into CACHE, once for each state of
# their sources, and prints the environment that makes a -tags cuda build find them (for eval).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
include=$(cd "$here/../include" && pwd)
cache=$1
# Translated kernels and the runtime pass vectors to each other: one compiler, one set of flags.
flags="-O2 -std=c++17 -fPIC -march=native -mprefer-vector-width=512 -ffp-contract=off"
key=$({
	cat "$here"/*.cpp "$here"/*.h "$here"/ptx2c/*.go "$here/build.sh" "$include"/*.h "$here/../symbols.sh"
	sed -n 's/^flags//p' /proc/cpuinfo | head -1
} | sha256sum | cut -c1-16)
dir=$cache/$key

if [ ! -f "$dir/done" ]; then
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/build.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	for f in "$here"/*.cpp; do
		# shellcheck disable=SC2086 # flags are words
		clang++-14 $flags -Wall -Wextra -Werror -I"$include" -c "$f" -o "$tmp/$(basename "$f" .cpp).o" >&2 &
		pids="${pids:-} $!"
	done
	for p in $pids; do wait "$p"; done
	# What the fake lacks answers "not supported" and says its name.
	nm "$tmp"/*.o | sed -n 's/.* T //p' | sort -u >"$tmp/have"
	{
		echo 'extern int fake_missing(const char *);'
		"$here/../symbols.sh" | grep -vxFf "$tmp/have" | sed 's/.*/int &(void) { return fake_missing("&"); }/'
	} >"$tmp/missing.c"
	cc -O2 -fPIC -c "$tmp/missing.c" -o "$tmp/missing.o" >&2
	clang++-14 -shared -o "$tmp/libcuda.so.1" "$tmp"/*.o -Wl,-soname,libcuda.so.1 -ldl -pthread >&2
	ln -s libcuda.so.1 "$tmp/libcuda.so"
	(cd "$here" && CGO_ENABLED=0 GOFLAGS='' go build -tags cuda -o "$tmp/ptx2c" ./ptx2c) >&2
	rm -f "$tmp"/*.o
	touch "$tmp/done"
	mv -T "$tmp" "$dir" 2>/dev/null || [ -f "$dir/done" ]
	trap - EXIT
fi
mkdir -p "$cache/kernels"

cat <<E2
export CGO_ENABLED=1
export CGO_CFLAGS='-O2 -I$include'
export CGO_LDFLAGS='-O2 -L$dir'
export LD_LIBRARY_PATH='$dir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}'
export FAKECUDA_PTX2C='$dir/ptx2c'
export FAKECUDA_INCLUDE='$here'
export FAKECUDA_FLAGS='$flags'
export FAKECUDA_CACHE='$cache/kernels'
E2
