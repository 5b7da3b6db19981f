"""Names and numbers that the writer and the reader of the NIR profile share (docs/nir-profile.md)."""

PROFILE_VERSION = 3
"""The newest version of the profile that this package reads; it writes the oldest that holds the program."""

LATERAL_VERSION = 2
"""The first version with ``lateral``."""

UNSIGNED_VERSION = 3
"""The first version with unsigned codes."""

MAPPED_RULES_VERSION = 3
"""The first version in which a plugin's mapping lists rules beyond NIR."""

KEY = "spikequant"
"""Key of the profile in the metadata of the graph and of its nodes."""

OR_SUFFIX = "__or"
"""Ending of the second NIR node of a ``pool_or``."""

OUTPUT_SUFFIX = "__output"
"""Ending of the Output node that collects a node which ends the graph and is no readout."""

EXACT = 1 << 24
"""Integers below this are exact in float32."""

MOST_LATERAL = 8192
"""Most neurons of a ``lateral``, whose matrix in NIR then has 2**26 weights."""
