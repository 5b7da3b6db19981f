"""The ``spikequant`` command: built-in commands, those of plugins, and the exit codes.

0: fine. 1: a check failed. 2: wrong use or input. 130: interrupted.
"""

from __future__ import annotations

import importlib
import keyword
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

import click

from spikequant.errors import SpikequantError
from spikequant.files import reason
from spikequant.registry import COMMANDS, registry


class Commands(click.Group):
    """Looks a command up in its own file, then among the plugins' commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name; one that two plugins claim is none."""
        names = [offer.name for offer in registry().of("command")]
        return sorted({*COMMANDS, *(name for name in names if names.count(name) == 1)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command under ``cmd_name``, loading nothing else."""
        if cmd_name in COMMANDS:
            module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
            command = importlib.import_module(f"spikequant.cli.{module}").command
            return command if isinstance(command, click.Command) else None
        if any(offer.name == cmd_name for offer in registry().of("command")):
            found: click.Command = registry().get("command", cmd_name)
            return found
        return None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spikequant")
def program() -> None:
    """Quantize spiking neural networks and prove that hardware runs exactly what was trained.

    Exit codes: 0 fine, 1 a check failed, 2 wrong use or input.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors on purpose become one line on stderr and exit code 2.

    Args:
        arguments: Words after the command's name; those of the process by default.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            program.main(None if arguments is None else list(arguments), prog_name="spikequant", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except SpikequantError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"error: {error.filename or 'a file'}: {reason(error)}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as a sentence, without the line of code that raised it."""
    click.echo(f"warning: {message}", err=True)
