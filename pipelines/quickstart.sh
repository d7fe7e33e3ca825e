#!/usr/bin/env bash
# Trains the model `tiny` by GRPO on this machine's CPU and measures it before and after.
#
#   pipelines/quickstart.sh [SEED]
#
# Five processes exchange Arrow record batches over a real nats-server; everything they write is in
# runs/quickstart: report.html, report.json, model/ (a Hugging Face folder), logs/, checkpoints/.
set -euo pipefail
cd "$(dirname "$0")/.."
source pipelines/lib.sh

seed=${1:-1}
run=quickstart
dir=$PWD/runs/$run
recipe=pipelines/recipes/quickstart.yaml
problems=${QUICKSTART_PROBLEMS:-512} # held out
samples=4

echo "building the five binaries"
build bin
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
  "$@" --config "$recipe" 2>"$dir/logs/$name.log" &
  pids+=($!)
}

echo "training: curate | generate | score | update over $NATS_URL, logs in runs/$run/logs"
stage curate bin/curate synth --seed "$seed"
stage generate bin/generate --seed "$seed"
stage score bin/score
stage update bin/update --seed "$seed"
follow "$dir/logs" "${pids[@]}"
pids=()

echo "evaluating before and after on $problems held-out problems, $samples samples each"
measure() { # NAME MODEL STEP
  bin/evaluate problems --benchmark synth --n "$problems" --samples $samples 2>>"$dir/logs/evaluate.log" |
    bin/generate --model "$2" --policy-version "$3" --seed "$seed" --max-new-tokens 64 2>>"$dir/logs/evaluate.log" |
    bin/score --reward accuracy=1 --reward format=0.1 --out "$dir/$1.parquet" 2>>"$dir/logs/evaluate.log"
}
measure base tiny 0
measure trained "$dir/model" 80
bin/evaluate report --in base="$dir/base.parquet" --in trained="$dir/trained.parquet" --metrics "$dir" \
  --title "quickstart, seed $seed" --seed "$seed" --seconds $((SECONDS - began)) --out-dir "$dir" 2>>"$dir/logs/evaluate.log"
echo "report: runs/$run/report.html   model: runs/$run/model   ($((SECONDS - began)) s)"
