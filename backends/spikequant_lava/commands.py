"""``spikequant lava setup`` and ``spikequant lava status``."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from spikequant_lava import environment
from spikequant_lava.selftest import SelfTestError, check


@click.group("lava")
def lava() -> None:
    """Set up the isolated interpreter that runs Lava, or look at it."""


@lava.command("setup")
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    help="Interpreter to build on: Python 3.10, 3.11 or 3.12. Default: the one that runs this command.",
)
@click.option("--force", is_flag=True, help="Build anew even if a complete environment is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; progress goes to stderr.")
@click.pass_context
def setup(context: click.Context, python: Path | None, force: bool, as_json: bool) -> None:
    """Make the environment if it is missing (about 20 s and 300 MB), and test it on Lava."""
    try:
        built = environment.setup(python, force=force, check=check, say=partial(click.echo, err=as_json))
    except SelfTestError as error:
        click.echo(f"error: {error}", err=True)
        context.exit(1)
    if as_json:
        click.echo(json.dumps({"built": built, **_state()}))
    else:
        click.echo(f"{'ready' if built else 'already there'}: {environment.availability().detail}")


@lava.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Say whether the environment is complete; exits 1 if it is not."""
    state = environment.availability()
    if as_json:
        click.echo(json.dumps(_state()))
    else:
        click.echo(f"ready: {state.detail}" if state.ready else f"not ready: {state.detail}; {state.remedy}")
    context.exit(0 if state.ready else 1)


def _state() -> dict[str, Any]:
    """Return what both commands say in JSON."""
    found = environment.recorded()
    held = None if found is None else dataclasses.asdict(found)
    return {**dataclasses.asdict(environment.availability()), "home": str(environment.home()), "environment": held}
