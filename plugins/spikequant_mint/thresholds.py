"""Which real thresholds the bundled neurons take."""

from __future__ import annotations

LEAST, MOST = 1e-6, 1e6


def check_threshold(neuron: str, v_th: float) -> None:
    """Refuse thresholds beyond what float32 training resolves beside its weights.

    Raises:
        ValueError: ``v_th`` is not a number between 1e-6 and 1e6.
    """
    if not LEAST <= v_th <= MOST:
        raise ValueError(f"neuron '{neuron}': v_th is {v_th}; it must be between {LEAST:g} and {MOST:,.0f}")
