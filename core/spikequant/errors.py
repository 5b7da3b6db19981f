"""Every error a user can meet; each says what it was about, what was wrong, what is needed, what to do next.

The command line turns any :class:`SpikequantError` into one line on stderr and exit code 2.
"""


class SpikequantError(Exception):
    """Base of all errors that spikequant raises on purpose."""


class UsageError(SpikequantError, ValueError):
    """An argument, option or recipe value is not one that can be used."""


class UnmetError(UsageError):
    """There are candidates, but none meets the selector's demands; names the nearest and what it would take."""


class PluginError(SpikequantError, LookupError):
    """A plugin was asked for that is missing, did not load, or shares its name with another."""


class ContractError(SpikequantError, TypeError, ValueError):
    """A plugin's class breaks the contract it was offered under: what a method returned is not what it must be."""


class ProgramError(SpikequantError, ValueError):
    """An integer program breaks a rule of the semantics."""


class NirError(SpikequantError, ValueError):
    """A ``.nir`` file cannot be read, or its two halves disagree."""


class DataError(SpikequantError, ValueError):
    """A data set is missing or damaged."""


class RunError(SpikequantError, RuntimeError):
    """A run folder is missing, damaged, or belongs to another recipe."""


class BackendError(SpikequantError, RuntimeError):
    """A backend's tool is missing, failed, hung or was interrupted."""


class RefusedError(SpikequantError, ValueError):
    """A backend refuses a program at compile time, naming each node it cannot run."""


class StoreError(SpikequantError, RuntimeError):
    """A store of evaluations is damaged, full, in use, or belongs to another recipe, version or data set."""


class WorkerError(SpikequantError, RuntimeError):
    """A worker process died over a candidate, twice, or the cluster is gone; what was finished is kept."""


def one_line(words: object, limit: int = 200) -> str:
    """Return another program's words on one line, cut to ``limit`` characters."""
    text = " ".join(str(words).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
