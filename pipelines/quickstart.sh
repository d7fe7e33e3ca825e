#!/usr/bin/env bash
# Trains the model `tiny` by GRPO on this machine and measures it before and after.
#
#   pipelines/quickstart.sh [FLAG VALUE…] [SEED]
#
#   --device D         what generate and update run on: cpu (the default), cuda, cuda:0-3
#   --update-device D  another for update: --device cuda:3 --update-device cuda:0-2 divides four GPUs
#   --steps N          optimizer steps (80)
#   --groups N         problems of a step (32)
#   --problems N       held-out problems to measure with (512)
#   --run NAME         another run than `quickstart`
#   --bin DIR          run the binaries in DIR and build none
#
# Five processes exchange Arrow record batches over a real nats-server; everything they write is in
# runs/quickstart: report.html, report.json, model/ (a Hugging Face folder), logs/, checkpoints/.
set -euo pipefail
cd "$(dirname "$0")/.."
source pipelines/lib.sh

device=cpu update_device='' steps=80 groups=32 problems=512 run=quickstart bin=''
usage() {
  sed -n '/^#   pipelines/,/^#   --bin/s/^# *//p' pipelines/quickstart.sh >&2
  exit 2
}
while [[ ${1:-} = -* ]]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --device) device=$2 ;;
    --update-device) update_device=$2 ;;
    --steps) steps=$2 ;;
    --groups) groups=$2 ;;
    --problems) problems=$2 ;;
    --run) run=$2 ;;
    --bin) bin=$2 ;;
    *) usage ;;
  esac
  shift 2
done
seed=${1:-1}
update_device=${update_device:-$device}
dir=$PWD/runs/$run
recipe=pipelines/recipes/quickstart.yaml
samples=4

if [ -z "$bin" ]; then
  echo "building the five binaries"
  bin=bin
  case $device,$update_device in
    *cuda*) stages/device/cuda/build.sh -o $bin ;;
    *) build $bin ;;
  esac
fi
go build -o /dev/null github.com/nats-io/nats-server/v2 # so that its start below is quick
began=$SECONDS

if [ -f "$dir/quickstart.pid" ] && kill -0 "$(cat "$dir/quickstart.pid")" 2>/dev/null; then
  echo "another quickstart is at work in runs/$run" >&2
  exit 1
fi
rm -rf "$dir"
mkdir -p "$dir/logs"
echo $$ >"$dir/quickstart.pid"
pids=()
nats_pid=
trap 'kill ${pids[@]+"${pids[@]}"} $nats_pid 2>/dev/null || true; wait || true; rm -f "$dir/quickstart.pid"' EXIT
start_nats "$dir/nats"

# stage NAME COMMAND…: in the background, its log in logs/NAME.log.
stage() {
  local name=$1
  shift
  "$@" --config "$recipe" --run "$run" 2>"$dir/logs/$name.log" &
  pids+=($!)
}

echo "training: curate | generate | score | update over $NATS_URL, logs in runs/$run/logs"
stage curate "$bin/curate" synth --seed "$seed" --n $((steps * groups))
stage generate "$bin/generate" --seed "$seed" --device "$device" --steps "$steps" --groups-per-step "$groups"
stage score "$bin/score"
stage update "$bin/update" --seed "$seed" --device "$update_device" --steps "$steps" --groups-per-step "$groups"
follow "$dir/logs" "${pids[@]}"
pids=()

echo "evaluating before and after on $problems held-out problems, $samples samples each"
log=$dir/logs/evaluate.log
measure() { # NAME MODEL STEP
  "$bin/evaluate" problems --benchmark synth --n "$problems" --samples $samples 2>>"$log" |
    "$bin/generate" --model "$2" --policy-version "$3" --seed "$seed" --max-new-tokens 64 --device "$device" 2>>"$log" |
    "$bin/score" --reward accuracy=1 --reward format=0.1 --out "$dir/$1.parquet" 2>>"$log"
}
report() {
  "$bin/evaluate" report --in base="$dir/base.parquet" --in trained="$dir/trained.parquet" --metrics "$dir" \
    --title "$run, seed $seed" --seed "$seed" --seconds $((SECONDS - began)) --out-dir "$dir" 2>>"$log"
}
measure base tiny 0 && measure trained "$dir/model" "$steps" && report || {
  echo "evaluating has failed; the last lines of $log:" >&2
  tail -n 5 "$log" >&2
  exit 1
}
echo "report: runs/$run/report.html   model: runs/$run/model   ($((SECONDS - began)) s)"
