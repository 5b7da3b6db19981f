"""``spikequant train``: train by a recipe in a run folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from spikequant.cli.common import data_dir_option, emit, json_option, messages, plain
from spikequant.cli.device import check_device
from spikequant.errors import UsageError
from spikequant.registry import registry
from spikequant.runs import Recipe, RunFolder, Watcher, read_recipe, train
from spikequant.runs.recipe import LARGEST


@click.command("train")
@click.argument("recipe", required=False)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder to make or to continue.")
@click.option("--resume", is_flag=True, help="Continue the unfinished run in the folder.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the recipe: quantizer.bits=2.")
@click.option("--seed", type=click.IntRange(0, LARGEST), help="Shorthand for --set seed=N.")
@click.option("--device", default="cpu", show_default=True, help="Torch device.")
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    help="Torch threads. More are faster on large convolutions, and add up float gradients in another order.",
)
@data_dir_option
@json_option
def command(
    *,
    recipe: str | None,
    out: Path,
    resume: bool,
    changes: tuple[str, ...],
    seed: int | None,
    device: str,
    threads: int,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Train RECIPE (a TOML file or the name of a shipped recipe, see 'spikequant plugins').

    A run can be stopped at any time and continued with --resume; it ends with the same bits.
    """
    folder = RunFolder(out)
    if resume and (recipe or changes or seed is not None):
        raise UsageError("--resume continues the recipe of the run; do not give a recipe, --set or --seed with it")
    chosen = folder.recipe() if resume else _new_run(recipe, changes, seed)
    check_device(device)
    if resume and folder.complete:
        result = folder.result()
        messages.print(f"the run in {out} is complete already")
    else:
        try:
            result = train(
                chosen,
                folder,
                resume=resume,
                data_dir=data_dir,
                device=device,
                threads=threads,
                watcher=Watcher(batch_line, epoch_line),
            )
        except KeyboardInterrupt:
            messages.print(f"stopped; continue with: spikequant train --resume --out {out}")
            raise
    if as_json:
        emit({"run": str(out), **result})
        return
    for name, value in result["accuracy"].items():
        shown = "not trained" if value is None else f"{100 * value:.2f} %"
        plain.print(f"test accuracy, {name}: {shown}")


def _new_run(recipe: str | None, changes: tuple[str, ...], seed: int | None) -> Recipe:
    if recipe is None:
        names = ", ".join(offer.name for offer in registry().of("recipe"))
        raise UsageError(f"give a recipe: a TOML file or one of: {names}")
    path = Path(recipe)
    if path.suffix != ".toml":
        path = registry().get("recipe", recipe)
    extra = () if seed is None else (f"seed={seed}",)
    return read_recipe(path, (*changes, *extra))


def batch_line(phase: str, epoch: int, epochs: int, done: int, total: int) -> None:
    """Show how far an epoch is, on a terminal."""
    if messages.is_terminal:
        end = "\r" if done < total else "\r\x1b[K"
        messages.file.write(f"{phase} epoch {epoch + 1}/{epochs}: batch {done}/{total} {end}")
        messages.file.flush()


def epoch_line(row: Mapping[str, Any]) -> None:
    """Say what an epoch came to."""
    loss = f"  loss {row['loss']:.4f}" if "loss" in row else ""
    messages.print(
        f"{row['phase']:7} epoch {row['epoch']:3}{loss}  test accuracy {100 * row['test_accuracy']:.2f} %",
        highlight=False,
    )
