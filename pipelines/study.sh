#!/usr/bin/env bash
# The experiments of the open-rs study, from raw data to scores: curate, then GRPO over JetStream, then evaluation of the
# model before and after. pipelines/open-rs1.sh, open-rs2.sh and open-rs3.sh call this; what they train with stands in
# pipelines/recipes/open-rs{1,2,3}.yaml, and in …-faithful.yaml with the study's mistakes.
#
#   pipelines/open-rs3.sh --model DIR --data DIR [--benchmarks DIR] [FLAG…]
#
#   --model DIR          DeepSeek-R1-Distill-Qwen-1.5B, a Hugging Face folder
#   --data DIR           the raw data sets, laid out as pipelines/recipes/open-s1.yaml, open-deepscaler.yaml and open-rs.yaml
#                        say; what is made of them on the way to the problems is kept there, too
#   --filter-model DIR   Qwen2.5-Math-7B-Instruct, by which DeepScaleR's easy problems are told, if DIR has not its samples
#   --problems FILE      instead: problems that are curated already, such as the published data set open-rs
#   --benchmarks DIR     the benchmarks' files (default: --data); without any, nothing is evaluated
#   --faithful           as published, mistakes included
#   --scale tiny         the model `tiny`, made-up data and small numbers: seconds on two cores
#   --device D           what runs the model: cpu (the default), cuda, cuda:0-3
#   --update-device D    another for update: --device cuda:3 --update-device cuda:0-2 is the study's division
#   --run NAME           another run than the script's name
#   --runs-dir DIR       where runs are kept (runs)
#   --resume             go on with a run that was stopped or killed, wherever it was
#   --bin DIR            run the binaries in DIR and build none
#
# The rest goes to the run's folder, runs/NAME: problems.jsonl, checkpoints/, model/, evaluation/ with report.html, logs/.
set -euo pipefail
from=$PWD
cd "$(dirname "$0")/.."
source pipelines/lib.sh

experiment=$1
shift
model='' filter_model='' data='' problems='' benchmarks='' variant='' scale=full device=cpu update_device='' run='' runs=$PWD/runs resume='' bin=''
usage() {
  sed -n '/^#   pipelines/,/^#   --bin/s/^# \{0,3\}//p' pipelines/study.sh | sed "s/open-rs3/$experiment/" >&2
  exit 2
}
# at PATH: a path as the caller means it.
at() {
  case $1 in
    /*) echo "$1" ;;
    *) if [ -e "$from/$1" ]; then echo "$from/$1"; else echo "$1"; fi ;;
  esac
}
while [ $# -gt 0 ]; do
  case $1 in
    --faithful) variant=-faithful && shift && continue ;;
    --resume) resume=yes && shift && continue ;;
  esac
  [ $# -ge 2 ] || usage
  case $1 in
    --model) model=$(at "$2") ;;
    --filter-model) filter_model=$(at "$2") ;;
    --data) data=$(at "$2") ;;
    --problems) problems=$(at "$2") ;;
    --benchmarks) benchmarks=$(at "$2") ;;
    --scale) scale=$2 ;;
    --device) device=$2 ;;
    --update-device) update_device=$2 ;;
    --run) run=$2 ;;
    --runs-dir) case $2 in /*) runs=$2 ;; *) runs=$from/$2 ;; esac ;;
    --bin) bin=$(at "$2") ;;
    *) usage ;;
  esac
  shift 2
done
run=${run:-$experiment$variant}
update_device=${update_device:-$device}
dir=$runs/$run
recipe=pipelines/recipes/$experiment$variant.yaml

# setting NAME: a whole number of the recipe.
setting() { sed -n "s/^  $1: *\([0-9][0-9]*\).*/\1/p" "$recipe" | head -n 1; }
steps=$(setting steps) groups=$(setting groups-per-step) group_size=$(setting group-size) every=$(setting checkpoint-every)
held_out=200 held_out_samples=4 # what the best checkpoint is chosen by

# What differs at another scale: flags win over the recipe.
generate_flags=() score_flags=() update_flags=() evaluate_flags=() mix_flags=()
difficulty_part=2048
difficulty_flags=(--group-size 1 --dtype bf16 --max-new-tokens 4096)
case $scale in
  full)
    [ -n "$model" ] && [ -n "$data$problems" ] || usage
    benchmarks=${benchmarks:-$data}
    evaluate_flags=(--data "$benchmarks")
    # The recipe's prefix is for chat templates that begin the answer, as this model's does since February 2025.
    if [ -z "$variant" ] && ! grep -qs 'Assistant｜><think>' "$model"/tokenizer_config.json "$model"/chat_template.jinja; then
      echo "the chat template of $model does not begin the answer with <think>: graded without a prefix"
      score_flags+=(--prefix '')
    fi
    ;;
  tiny)
    model=${model:-tiny} filter_model=${filter_model:-tiny} steps=24 every=8 held_out=64 difficulty_part=100
    generate_flags=(--max-new-tokens 64 --system '') # tiny has never seen a system message
    difficulty_flags+=("${generate_flags[@]}") mix_flags=(--short scale)
    score_flags=(--prefix '')
    update_flags=(--lr 1e-4 --warmup-steps 2 --checkpoint-every $every)
    evaluate_flags=(--samples 4 --max-new-tokens 64)
    if [ -n "$benchmarks" ]; then evaluate_flags+=(--data "$benchmarks" --n 4); else evaluate_flags+=(--task synth --prompt plain --n 128); fi
    ;;
  *) usage ;;
esac

if [ -z "$bin" ]; then
  echo "building the five binaries"
  bin=bin
  case $device,$update_device in
    *cuda*) stages/device/cuda/build.sh -o $bin ;;
    *) build $bin ;;
  esac
fi
began=$SECONDS
if [ -e "$dir" ] && [ -z "$resume" ]; then
  echo "$dir exists: --resume goes on with it, another --run begins anew" >&2
  exit 1
fi
mkdir -p "$dir/logs"
claim "$dir"
pids=()
nats_pid=
trap 'kill ${pids[@]+"${pids[@]}"} $nats_pid 2>/dev/null || true; wait || true; rm -f "$dir/pids"' EXIT

# failed WHAT: ends the script with the last words of WHAT's log.
failed() {
  echo "$1 has failed; the last lines of $dir/logs/$1.log:" >&2
  tail -n 5 "$dir/logs/$1.log" >&2
  echo "(--resume goes on where this has stopped)" >&2
  exit 1
}

# work NAME COMMAND…: runs a command, its log in logs/NAME.log. Should this script be killed, the next one ends it.
work() {
  local name=$1
  shift
  "$@" 2>>"$dir/logs/$name.log" &
  pids=($!)
  echo $! >>"$dir/pids"
  wait $! || failed "$name"
  pids=()
}

# made_up DIR: raw data of the built-in arithmetic task, in the layout and with the columns of the real.
made_up() {
  mkdir -p "$1/s1" "$1/deepscaler"
  work curate "$bin/curate" synth --n 600 --seed 11 --out "$1/s1.jsonl"
  sed 's/"problem":/"question":/; s/"prompt_ids":null/"source_type":"synth","cot_type":"math"/' "$1/s1.jsonl" >"$1/s1/train.jsonl"
  work curate "$bin/curate" synth --n 800 --seed 12 --out "$1/deepscaler/train.jsonl"
  local b
  for b in aime24 amc23 olympiadbench; do work curate "$bin/curate" synth --split test --n 8 --out "$1/$b.jsonl"; done
  for b in math500 minerva_math; do { echo '[' && sed '$!s/$/,/' "$1/aime24.jsonl" && echo ']'; } >"$1/$b.json"; done
}

# curated RECIPE DIR FLAG…: DIR/RECIPE.parquet of the raw data, with ledger and data card, if it is not there yet.
curated() {
  local name=$1 to=$2/$1
  shift 2
  if [ -f "$to.parquet" ]; then
    echo "taking $to.parquet as it is"
    return
  fi
  echo "curating by pipelines/recipes/$name.yaml: $to.parquet, with ledger and data card"
  work curate "$bin/curate" --config "pipelines/recipes/$name.yaml" --data "$data" --ledger "$to-ledger.parquet" --card "$to-card" --out "$to.part.parquet" "$@"
  mv "$to.part.parquet" "$to.parquet"
}

# scored RECIPE MODEL FLAG…: one judged answer of a model to each problem whose difficulty the recipe asks for, made a
# part of the problems after another: what is finished is not made again.
scored() {
  local name=$1 by=$2 made=$data/$1-scored problems rollouts
  shift 2
  [ ! -f "$made.parquet" ] || return 0
  if [ -z "$by" ]; then
    echo "expected $made.parquet, or --filter-model" >&2
    exit 2
  fi
  echo "answering the problems of $name once with $by, for their difficulty"
  if [ ! -d "$made" ]; then
    rm -rf "$made.new"
    mkdir -p "$made.new"
    work curate "$bin/curate" --config "pipelines/recipes/$name.yaml" --data "$data" --before pass-rate --out "$made.new/all.jsonl"
    awk -v n=$difficulty_part -v to="$made.new/problems" '
      { file = sprintf("%s-%04d.jsonl", to, (NR - 1) / n); if (file != last) close(last); print > file; last = file }' "$made.new/all.jsonl"
    mv "$made.new" "$made"
  fi
  for problems in "$made"/problems-*.jsonl; do
    rollouts=${problems/problems-/rollouts-}
    [ ! -f "$rollouts" ] || continue
    work difficulty "$bin/generate" --model "$by" --device "$device" "${difficulty_flags[@]}" "$@" --in "$problems" --out "$made/part.jsonl"
    mv "$made/part.jsonl" "$rollouts"
  done
  cat "$made"/rollouts-*.jsonl >"$made/all.jsonl"
  work difficulty "$bin/score" --reward accuracy --in "$made/all.jsonl" --out "$made.part.parquet"
  mv "$made.part.parquet" "$made.parquet"
  rm -r "$made"
}

# curate_all: the experiment's problems of the raw data.
curate_all() {
  [ -f "$data/open-s1.parquet" ] || scored open-s1 "$model" --temperature 0.6 --top-p 0.95
  curated open-s1 "$data"
  problems=$data/open-s1.parquet
  [ "$experiment" != open-rs1 ] || return 0
  scored open-deepscaler "$filter_model" --temperature 0.7 --top-p 0.9
  curated open-deepscaler "$data"
  curated open-rs "$dir" ${mix_flags[@]+"${mix_flags[@]}"}
  problems=$dir/open-rs.parquet
}

# The benchmarks are read before anything takes long.
if [ -n "$benchmarks" ]; then
  work benchmarks "$bin/evaluate" problems --data "$benchmarks" --out "$dir/benchmarks.jsonl" \
    $(sed -n 's/^  task: \[\(.*\)\].*/\1/p' "$recipe" | tr -d ' ' | sed 's/^/,/; s/,/ --benchmark /g')
fi

# Data: curated, shuffled by the recipe's seed, and divided into what is trained on and what checkpoints are compared on.
if [ ! -f "$dir/train.jsonl" ]; then
  if [ "$scale" = tiny ] && [ -z "$data$problems" ]; then
    data=$dir/data
    made_up "$data"
  fi
  [ -n "$problems" ] || curate_all
  work curate "$bin/curate" --config "$recipe" --in "$problems" --out "$dir/problems.jsonl"
  all=$(wc -l <"$dir/problems.jsonl")
  [ -z "$variant" ] || held_out=0
  [ $((all / 4)) -ge $held_out ] || held_out=$((all / 4))
  tail -n "$held_out" "$dir/problems.jsonl" >"$dir/heldout.jsonl"
  head -n $((all - held_out)) "$dir/problems.jsonl" | head -n $((steps * groups)) >"$dir/train.part" || true
  mv "$dir/train.part" "$dir/train.jsonl"
  echo "$all problems: $(wc -l <"$dir/train.jsonl") to train on, $held_out to choose a checkpoint by"
fi

# Training.
stage() { # NAME COMMAND…: in the background, its log in logs/NAME.log.
  local name=$1
  shift
  "$@" --run "$run" --runs-dir "$runs" 2>>"$dir/logs/$name.log" &
  pids+=($!)
  echo $! >>"$dir/pids"
}
if [ ! -f "$dir/trained" ]; then
  go build -o /dev/null github.com/nats-io/nats-server/v2 # so that its start below is quick
  start_nats "$dir/nats"
  echo $nats_pid >>"$dir/pids"
  train=$(wc -l <"$dir/train.jsonl")
  epochs=$(((steps * groups + train - 1) / train))
  echo "training: $steps steps of $groups problems × $group_size completions over $NATS_URL, logs in $dir/logs"
  stage publish "$bin/curate" --in "$dir/train.jsonl" --epochs $epochs
  stage generate "$bin/generate" --config "$recipe" --model "$model" --device "$device" --steps "$steps" ${generate_flags[@]+"${generate_flags[@]}"}
  stage score "$bin/score" --config "$recipe" ${score_flags[@]+"${score_flags[@]}"}
  stage update "$bin/update" --config "$recipe" --model "$model" --device "$update_device" --steps "$steps" --resume ${update_flags[@]+"${update_flags[@]}"}
  follow "$dir/logs" "${pids[@]}"
  pids=()
  kill $nats_pid && wait $nats_pid || true
  nats_pid=
  counts=$(sed -n 's/.*msg=scored .*groups=\([0-9]*\) failed=\([0-9]*\) .*/\1 \2/p' "$dir/logs/score.log" | tail -n 1)
  if [ -n "$counts" ] && [ $((2 * ${counts#* })) -gt "${counts% *}" ]; then
    echo "${counts#* } of ${counts% *} groups could not be scored: nothing much was learned" >&2
    failed score
  fi
  touch "$dir/trained"
fi

# checkpoints: the steps after which the recipe has one, in order. A stopped update leaves others, too.
checkpoints() {
  local step
  for ((step = every; step < steps; step += every)); do echo "$step"; done
  echo "$steps"
}
models=(--model base="$model") result=model
if [ -n "$variant" ]; then
  # As the study did: every checkpoint is measured on the test sets, and the best one is reported.
  for step in $(checkpoints); do models+=(--model "step-$step=$dir/checkpoints/checkpoint-$step"); done
else
  # By problems that were not trained on and that are in no benchmark: the checkpoint with the most right answers, the
  # earliest of several. Its score on these problems is not reported.
  best='' most=-1
  for step in $(checkpoints); do
    out=$dir/selection/step-$step
    mkdir -p "$dir/selection"
    if [ ! -f "$out.right" ]; then
      echo "choosing: step $step on $(wc -l <"$dir/heldout.jsonl") held-out problems"
      : >"$dir/logs/select.log"
      work select "$bin/generate" --config "$recipe" --model "$dir/checkpoints/checkpoint-$step" --device "$device" --policy-version "$step" \
        --group-size $held_out_samples ${generate_flags[@]+"${generate_flags[@]}"} --in "$dir/heldout.jsonl" --out "$out.rollouts.parquet"
      work select "$bin/score" --config "$recipe" --group-size $held_out_samples --preflight=false ${score_flags[@]+"${score_flags[@]}"} \
        --in "$out.rollouts.parquet" --out "$out.parquet"
      sed -n 's/.*msg=scored .*correct=\([0-9]*\).*/\1/p' "$dir/logs/select.log" | tail -n 1 >"$out.right.part"
      mv "$out.right.part" "$out.right"
      rm -f "$out.rollouts.parquet"
    fi
    right=$(cat "$out.right")
    if [ "$right" -gt $most ]; then best=$step most=$right; fi
  done
  echo "chosen by held-out problems: step $best"
  result=checkpoints/checkpoint-$best
  models+=(--model trained="$dir/$result")
fi

if [ "$scale" = full ] && [ -z "$benchmarks" ]; then
  echo "no --benchmarks: not evaluated   model: $dir/$result   ($((SECONDS - began)) s)"
  exit
fi
echo "evaluating: $(((${#models[@]}) / 2)) models"
work evaluate "$bin/evaluate" run --config "$recipe" "${models[@]}" --device "$device" --bin "$bin" --out-dir "$dir/evaluation" --title "$run" \
  ${evaluate_flags[@]+"${evaluate_flags[@]}"}
if [ -n "$variant" ]; then
  echo "The best of several checkpoints was picked on the very problems it is scored on: see the report's correction."
fi
echo "report: $dir/evaluation/report.html   model: $dir/$result   ($((SECONDS - began)) s)"
