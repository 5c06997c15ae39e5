"""Who and what an alert comes from, as tables and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.comparing import comparison_json, print_comparison, times_json
from usage_watch.views.comparing import by_share

if TYPE_CHECKING:
    from usage_watch.views.because import Compared
    from usage_watch.views.times import Reader

_SHOWN = 10
"""Rows of each axis."""


def print_compared(compared: Compared | None, reader: Reader) -> None:
    """A table an axis; nothing where there is none."""
    if compared is None:
        return
    over = reader.between(compared.from_at, compared.until_at, compared.bucket)
    click.echo(f"\nAgainst the 4 weeks before, {over}")
    for at, each in enumerate(compared.table):
        if at:
            click.echo()
        print_comparison(each, by_share(each, rising=compared.rising), _SHOWN, rising=compared.rising)


def compared_json(compared: Compared | None) -> dict[str, Any] | None:
    """For programs; all rows."""
    if compared is None:
        return None
    rising = compared.rising
    axes = [comparison_json(each, by_share(each, rising=rising), rising=rising) for each in compared.table]
    return {**times_json(compared.from_at, compared.until_at), "axes": axes}
