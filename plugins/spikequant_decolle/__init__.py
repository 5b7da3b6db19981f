"""Supervised networks with deep continuous local learning (DECOLLE) on event data."""
