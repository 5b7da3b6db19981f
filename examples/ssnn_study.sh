#!/usr/bin/env bash
# Q-SpiNN's study of the S-SNN, from training to the report: docs/ssnn-study.md shows what it gives on N-MNIST.
#   examples/ssnn_study.sh [FOLDER] [RECIPE]
# RECIPE is nmnist-decolle by default; dvs-gesture-decolle is the paper's. JOBS, SEEDS, LEVELS (of the PTQ grid), CURVES (levels of Fig. 11)
# and DEVICE are taken from the environment.
# The data must be there (SPIKEQUANT_DATA, or spikequant fetch). Stop and repeat it at any time: it goes on.
set -euo pipefail
study="${1:-runs/ssnn-study}"
recipe="${2:-nmnist-decolle}"
jobs="${JOBS:-2}"
seeds="${SEEDS:-0 1 2}"
levels="${LEVELS:-FP32,12,10,8,6,5,4,3,2}"
curves="${CURVES:-FP32,8,5,3,2}"
device="${DEVICE:-cpu}"
mkdir -p "$study"

for seed in $seeds; do
  run="$study/seed-$seed"
  if [ -f "$run/result.json" ]; then continue; fi
  if [ -f "$run/checkpoint.safetensors" ]; then
    spikequant train --resume --out "$run" --device "$device"
  else
    spikequant train "$recipe" --seed "$seed" --out "$run" --device "$device"
  fi
done
run="$study/seed-${seeds%% *}"

# Ranges (Table I), and each quantity alone (Fig. 7)
spikequant calibrate "$run" --plot "$study/ranges.svg"
spikequant significance "$run" --jobs "$jobs" --plot "$study/significance.svg"

# Fig. 11, PTQ and ITQ, in one command: weights alone, states alone, all together, against bits; with the report
spikequant explore "$run" --name fig11 --search curves --scheme both --group N=P,Q,R,V \
  --levels "w=$curves" --levels "N=$curves" --target 4 --jobs "$jobs" --device "$device" \
  --csv "$study/fig11.csv" --report "$study/fig11.html"

# Algorithm 1 over the grid of W and N; Fig. 12(b) and Table II
grid() {
  spikequant explore "$run" --name grid --group N=P,Q,R,V --levels "w=$levels" --levels "N=$levels" \
    --jobs "$jobs" --device "$device" "$@"
}
grid --target 100 --csv "$study/grid.csv"
grid --target 2 --search paper
grid --target 2
for mu in 0.01 0.1 0.2 0.3 0.4 0.5 1; do
  spikequant select "$run" --name grid --mu "$mu"
done
spikequant select "$run" --name grid --max-drop 2
spikequant report "$run" --name grid --max-drop 2 --out "$study/report.html" --plots "$study/plots"

# The recipe's own formats, trained in them: exported and verified
spikequant export "$run"
spikequant verify "$run/model.nir" --trained "$run"
spikequant verify "$run/model.nir" --backend torch
spikequant verify "$run/model.nir" --backend lava --samples 3
spikequant run "$run/model.nir"
