"""``spikequant plugins``: what is installed, what failed to load and why, which names are claimed twice."""

from __future__ import annotations

import click
from rich.markup import escape
from rich.table import Table

from spikequant.cli.common import emit, json_option, results
from spikequant.registry import FILE_HOOKS, HOOKS, Offer, registry


@click.command("plugins")
@json_option
def command(as_json: bool) -> None:
    """List plugins, those that failed to load included."""
    found = registry()
    kinds = (*HOOKS, *FILE_HOOKS, "command")
    offers = [offer for kind in kinds for offer in found.of(kind)]
    if as_json:
        rows = [{"kind": o.kind, "name": o.name, "plugin": o.provider.plugin, "from": str(o.provider)} for o in offers]
        failures = [{"plugin": f.provider.plugin, "from": str(f.provider), "reason": f.reason} for f in found.failures]
        emit({"plugins": rows, "failures": failures, "conflicts": list(found.conflicts())})
        return
    table = Table("kind", "name", "what it is", "from", box=None)
    for offer in offers:
        cells = (offer.kind, offer.name, _summary(offer), f"{offer.provider} ({offer.provider.plugin})")
        table.add_row(*map(escape, cells))
    results.print(table)
    for failure in found.failures:
        results.print(f"[red]{escape(str(failure))}", soft_wrap=True)
    for conflict in found.conflicts():
        results.print(f"[red]{escape(conflict)}", soft_wrap=True)


def _summary(offer: Offer) -> str:
    if isinstance(offer.value, click.Command):
        return offer.value.get_short_help_str(80)
    return str(getattr(offer.value, "summary", "")) or ""
