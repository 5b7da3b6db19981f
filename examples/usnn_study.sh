#!/usr/bin/env bash
# Q-SpiNN's study of the U-SNN on MNIST, from training to the report: docs/usnn-study.md shows what it gives.
# MNIST must be there: spikequant fetch mnist, or SPIKEQUANT_DATA. Stop and repeat it at any time: it goes on.
#   examples/usnn_study.sh [FOLDER]      JOBS=2 by default
set -euo pipefail
study="${1:-runs/usnn-study}"
jobs="${JOBS:-2}"
levels=16,14,12,10,8,6,4,2,0
mkdir -p "$study"

train() {
  if [ -f "$3/result.json" ]; then return; fi
  if [ -f "$3/checkpoint.safetensors" ]; then
    spikequant train --resume --out "$3"
  else
    spikequant train "$1" --seed "$2" --out "$3"
  fi
}

for seed in 0 1 2; do
  train mnist-usnn "$seed" "$study/float-$seed"
  train mnist-usnn-w2 "$seed" "$study/w2-$seed"
done
run="$study/float-0"

# Table I and Fig. 8; then each quantity alone (Fig. 7)
spikequant calibrate "$run" --plot "$study/ranges.svg"
spikequant significance "$run" --jobs "$jobs" --plot "$study/significance.svg"

# Fig. 10: weights alone, neuron parameters alone, all together; PTQ and ITQ
fig10() {
  spikequant explore "$run" --name fig10 --target 100 --jobs "$jobs" --csv "$study/fig10-$1.csv" "${@:2}"
}
for scheme in ptq itq; do # ITQ trains an epoch for each candidate, so it leaves out the finest levels
  if [ "$scheme" = itq ]; then levels=12,10,8,6,4,2,0; fi
  fig10 "$scheme-w" --scheme "$scheme" --itq scratch --levels "w=$levels"
  fig10 "$scheme-n" --scheme "$scheme" --itq scratch --group N=V,Vth --levels "N=$levels"
  fig10 "$scheme-wn" --scheme "$scheme" --itq scratch --group WN=w,V,Vth --levels "WN=$levels"
done

# Algorithm 1 over the whole PTQ grid; Fig. 12(a) and Table II
spikequant explore "$run" --name grid --target 100 --jobs "$jobs" --csv "$study/grid.csv"
spikequant explore "$run" --name grid --target 1 --search paper
spikequant explore "$run" --name grid --target 1
for mu in 0.01 0.1 0.2 0.3 0.4 0.5 1; do
  spikequant select "$run" --name grid --mu "$mu"
done
spikequant select "$run" --name grid --max-drop 1
spikequant report "$run" --name grid --max-drop 1 --out "$study/report.html" --plots "$study/plots"

# Beyond the paper: two bits a weight, exported and verified
spikequant export "$study/w2-0"
spikequant verify "$study/w2-0/model.nir" --backend torch --samples 20
spikequant verify "$study/w2-0/model.nir" --backend lava --samples 20
spikequant run "$study/w2-0/model.nir"
