#!/usr/bin/env bash
# The main job from end to end, on real data that comes with a dependency: train a W4U4 network on the
# 1,797 handwritten digits, export it, and prove that every backend computes what was trained. Then the smallest
# network: train one by STDP, explore formats, select, quantize, export, verify, report. Again without training
# when it is called again.
set -euo pipefail
run="${1:-runs/demo}"
usnn="$run-usnn"
lava_samples=20
rtl_samples=20
usnn_lava_samples=10

say() { printf '\n== %s\n' "$*"; }
do_it() { printf '$ spikequant %s\n' "$*"; spikequant "$@"; }

say "Train: floats first, then integers (W4U4, MINT), on digits"
if [ -f "$run/result.json" ]; then
  printf 'the run in %s is complete already; remove the folder to train again\n' "$run"
elif [ -f "$run/recipe.toml" ]; then
  do_it train --resume --out "$run"
else
  do_it train digits-w4u4 --out "$run"
fi

say "Export: NIR with the quantization profile"
do_it export "$run"

say "Verify: every spike and every stored potential of every timestep, with =="
do_it verify "$run/model.nir" --trained "$run"
do_it verify "$run/model.nir" --backend reference
do_it verify "$run/model.nir" --backend torch
do_it verify "$run/model.nir" --backend lava --samples "$lava_samples"
do_it verify "$run/model.nir" --backend mint_rtl --samples "$rtl_samples"

say "Accuracy: as trained (the run's own figures), then integer on each backend"
do_it train --resume --out "$run"
do_it run "$run/model.nir" --backend reference
do_it run "$run/model.nir" --backend torch
do_it run "$run/model.nir" --backend lava --samples "$lava_samples"
do_it run "$run/model.nir" --backend mint_rtl --samples "$rtl_samples" --counts "$run/rtl-counts.json"

say "Memory against FP32"
do_it memory "$run/model.nir"

say "Energy: MINT against vanilla UQ, from the cycles and operations that the RTL counted"
do_it energy "$run/model.nir" --counts "$run/rtl-counts.json"

say "The smallest network: unsupervised learning (STDP) on the same digits, in floats"
if [ -f "$usnn/result.json" ]; then
  printf 'the run in %s is complete already; remove the folder to train again\n' "$usnn"
elif [ -f "$usnn/recipe.toml" ]; then
  do_it train --resume --out "$usnn"
else
  do_it train digits-usnn --out "$usnn"
fi

say "Explore: ranges, then formats (Q-SpiNN, Algorithm 1), then the smallest within a point of FP32"
do_it calibrate "$usnn"
do_it explore "$usnn" --group N=V,Vth --levels w=6,4,3,2 --levels N=6,4,2,0 --unsigned w
do_it select "$usnn" --max-drop 1

say "Quantize in these formats, export, and verify on torch and on Lava"
if [ -f "$usnn-small/recipe.toml" ]; then
  do_it train --resume --out "$usnn-small"
else
  do_it quantize "$usnn" --out "$usnn-small" --format w=UQ1.4 --format V=Q9.2 --format Vth=Q6.2 --rounding TR
fi
do_it export "$usnn-small"
do_it verify "$usnn-small/model.nir" --trained "$usnn-small"
do_it verify "$usnn-small/model.nir" --backend torch
do_it verify "$usnn-small/model.nir" --backend lava --samples "$usnn_lava_samples"

say "Report: all of this as one HTML file"
do_it report "$usnn" --max-drop 1
