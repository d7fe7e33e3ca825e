#!/bin/sh
# bench.sh [-m MODEL] [-d DEVICES] measures GPUs (default: the shape of DeepSeek-R1-Distill-Qwen-1.5B with random weights, cuda:0):
#
#   - products of matrices, in TFLOP/s and as a share of what multiply-adds alone reach;
#   - decoding of 1, 32, 128 and 256 sequences, in tokens a second beside what the limits allow (one JSON object a
#     line: tokens_per_second, roofline_tokens_per_second);
#   - training on all of DEVICES: tokens_per_second and mfu.
#
# bench.sh -s does the same with a model and matrices so small that the fake driver can do it, which tests this script:
#
#   stages/device/cuda/test.sh --exec stages/device/cuda/bench.sh -s
set -eu
here=$(cd "$(dirname "$0")" && pwd)
model=shape:deepseek-r1-distill-qwen-1.5b
devices=cuda:0
short=
while getopts m:d:s flag; do
	case $flag in
	m) model=$OPTARG ;;
	d) devices=$OPTARG ;;
	s) short=1 ;;
	*) echo "usage: bench.sh [-s] [-m MODEL] [-d DEVICES]" >&2 && exit 2 ;;
	esac
done
bench='' decode='--prompt-tokens 512 --new-tokens 64'
train='--sequences 24 --tokens 2048 --prompt-tokens 256 --group-size 6 --token-budget 16384 --iterations 5'
if [ -n "$short" ]; then
	model=shape:tiny
	bench='-test.short -test.benchtime=1x' decode='--prompt-tokens 4 --new-tokens 2'
	train='--sequences 8 --tokens 24 --prompt-tokens 8 --group-size 2 --token-budget 100 --iterations 1'
fi

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
"$here/build.sh" -o "$bin"
"$here/test.sh" --real -c -o "$bin/cuda.test" ./stages/device/cuda

"$bin/generate" devices
# shellcheck disable=SC2086 # these are several words
"$bin/cuda.test" -test.run '^$' -test.bench MatMul $bench
# shellcheck disable=SC2086
for dtype in bf16 f32; do
	"$bin/generate" bench --model "$model" --device "${devices%%[,-]*}" --dtype "$dtype" --batch 1,32,128,256 $decode
	"$bin/update" bench --model "$model" --device "$devices" --dtype "$dtype" $train
done
