"""Benchmarks: one script per goal; ratios against a peer in the same run. Run one with ``python -m benchmarks.NAME``."""
