"""Guard of our imports against one damaged distribution; imported before everything else.

torch and pydantic read the entry points of all distributions while they are imported, and stop at a malformed
line in any of them. Only where that would happen, both are told not to look for extensions of their own.
"""

import os
from importlib.metadata import entry_points

SWITCHES = {"TORCH_DEVICE_BACKEND_AUTOLOAD": "0", "PYDANTIC_DISABLE_PLUGINS": "1"}


def readable() -> bool:
    """Say whether the entry points of all distributions can be read."""
    try:
        entry_points(group="spikequant")
    except Exception:  # how a damaged file shows differs between Python versions
        return False
    return True


if not readable():
    os.environ.update(SWITCHES)
