"""Benchmarks: one script per goal, ratios against a peer in the same run; ``python -m benchmarks.NAME``."""
