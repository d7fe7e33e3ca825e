#!/bin/sh
# Prints the driver functions that include/cuda.h declares, one a line, as the driver exports them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cc -E -P -I"$here/include" -x c "$here/include/cuda.h" |
	grep -o 'CUresult cu[A-Z][A-Za-z0-9_]*(' | sed 's/^CUresult //; s/($//' | sort -u
