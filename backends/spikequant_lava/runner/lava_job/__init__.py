"""Run one job on Lava. Executed by the isolated interpreter as ``python -m lava_job JOB RESULT``.

Nothing here imports spikequant or torch, and nothing outside imports this package: the two sides share
files only. See docs/lava.md.
"""
