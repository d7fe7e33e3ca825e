#!/usr/bin/env bash
# Makes the weights of the model `tiny` again, from nothing: supervised training on worked solutions
# of the built-in arithmetic task, then a short phase in which half of the solutions skip the work, so
# that there is something for reinforcement learning to find out. Takes about five minutes.
#
#   pipelines/make-tiny.sh [DIR]    (default runs/make-tiny; the weights are DIR/tiny/model)
set -euo pipefail
cd "$(dirname "$0")/.."
source pipelines/lib.sh

dir=${1:-runs/make-tiny}
build bin
mkdir -p "$dir"

# Worked solutions only: 3,000 steps of 32 problems.
bin/curate synth -n 96000 --batch 1000 --seed 1 --out "$dir/worked.arrow"
bin/update sft --model shape:tiny --seed 1 --in "$dir/worked.arrow" --dir "$dir/worked" \
  --batch-size 32 --steps 3000 --lr 2e-3 --schedule cosine_with_min_lr --min-lr-ratio 0.1 --warmup-steps 20 \
  --adam-beta2 0.95 --weight-decay 0.01 --save-dtype f32

# Half of the solutions careless: 100 steps of 64 problems.
bin/curate synth -n 6400 --batch 1000 --seed 2 --direct 0.5 --out "$dir/careless.arrow"
bin/update sft --model "$dir/worked/model" --in "$dir/careless.arrow" --dir "$dir/tiny" \
  --batch-size 64 --steps 100 --lr 5e-4 --schedule cosine_with_min_lr --min-lr-ratio 0.1 --warmup-steps 20 \
  --adam-beta2 0.95 --weight-decay 0.01 --save-dtype f32

echo "weights: $dir/tiny/model/model.safetensors; to ship them: cp $dir/tiny/model/model.safetensors stages/model/tiny/assets/"
