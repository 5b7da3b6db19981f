#!/usr/bin/env bash
# Networks trained by others, from their file to integers: docs/imported-networks.md shows what it gives on N-MNIST.
#   examples/imported_study.sh FILE.nir [FOLDER] [-- options of `spikequant import`]
# as in
#   examples/imported_study.sh cnn_sinabs.nir runs/cnn -- --data nmnist-small --timesteps 300 --dt 1e-3 --reset subtract --option v_min=-1
# W (levels of the weights), V (fraction bits of the state) and JOBS are taken from the environment. The data must be there (SPIKEQUANT_DATA, or
# spikequant fetch). Stop and repeat it at any time: it goes on.
set -euo pipefail
file="$1"
study="${2:-runs/imported-study}"
shift $(($# < 2 ? $# : 2))
if [ "${1:-}" = -- ]; then shift; fi
weights="${W:-FP32,7,6,5,4,3,2}"
states="${V:-FP32,12,8,6,4}"
jobs="${JOBS:-2}"
mkdir -p "$study"

spikequant inspect "$file"
if [ ! -f "$study/float/result.json" ]; then
  spikequant import "$file" --out "$study/float" "$@"
fi
spikequant calibrate "$study/float" --plot "$study/ranges.svg"
spikequant explore "$study/float" --name bits --search curves --levels "w=$weights" --levels "V=$states" --target 1 \
  --jobs "$jobs" --csv "$study/bits.csv" --report "$study/bits.html"
