"""The command line: one file per command, plain functions behind each."""

from spikequant.cli.main import main

__all__ = ["main"]
