#!/bin/sh
# Compiles the .cu files of this folder to the .ptx that is committed beside them.
#
#   generate.sh                    all of them
#   generate.sh norm.cu…           these
#   generate.sh -check             none: says which .ptx is not what its source compiles to, and fails
#   generate.sh -o DIR [norm.cu…]  into another folder
#
# The output depends on the compiler's version, so that is pinned: Debian 12's clang-14
# (apt-get install --no-install-recommends clang-14). Nothing of NVIDIA's is needed.
set -eu
cd "$(dirname "$0")"
clang=${OPENRS_CLANG:-clang++-14}
want=14.0.6
if ! command -v "$clang" >/dev/null; then
	echo "generate.sh: $clang not found: apt-get install --no-install-recommends clang-14, or set OPENRS_CLANG" >&2
	exit 1
fi
case $("$clang" --version) in
*"clang version $want"*) ;;
*)
	echo "generate.sh: $clang is not version $want; its PTX would differ from what is committed" >&2
	exit 1
	;;
esac

out=. check=
case ${1:-} in
-check)
	check=yes
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
	shift
	;;
-o)
	out=$2
	shift 2
	;;
esac
[ $# -gt 0 ] || set -- *.cu
for source; do
	# sm_80 and PTX 7.0 have all that is used and run on every later GPU. -ffp-contract=off: see gpu.h.
	"$clang" -x cuda --cuda-device-only -nocudainc -nocudalib --cuda-gpu-arch=sm_80 -Xclang -target-feature -Xclang +ptx70 \
		-std=c++17 -O3 -ffp-contract=off -Wall -Wextra -Werror -S "$source" -o "$out/${source%.cu}.ptx"
done

[ "$check" ] || exit 0
differ=0
for name in $({ ls ./*.ptx; ls "$out"/*.ptx; } | sed 's|.*/||' | sort -u); do
	if ! cmp -s "$name" "$out/$name"; then
		echo "generate.sh: $name is not what its source compiles to: run go generate -tags cuda ./stages/device/cuda/kernels" >&2
		differ=1
	fi
done
exit $differ
