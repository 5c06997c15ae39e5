"""Tables that a phone can show, too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from usage_watch.web.page.html import Html, Inside, el

_FEW = 3
"""Columns that a phone has room for."""


def table(named_by: str, heads: Sequence[str], rows: Iterable[Sequence[Inside]], numbers: Collection[str] = ()) -> Html:
    """Under the heading whose id is `named_by`; each row is about its first cell. Without columns that are empty.

    `numbers`: heads of the columns that stand at the right. Where many columns have no room beside each other, a row is
    a paragraph in which each cell says what it is.
    """
    cells = list(rows)
    filled = [place for place in range(len(heads)) if any(row[place] for row in cells)]
    shown = [heads[place] for place in filled]
    # Roles are said, since a narrow screen shows each row as a block.
    head = (el("th", each, scope="col", class_=_class(each, numbers), role="columnheader") for each in shown)
    body = (el("tr", _cells(shown, [row[place] for place in filled], numbers), role="row") for row in cells)
    return el(
        "table",
        el("thead", el("tr", head, role="row"), role="rowgroup"),
        el("tbody", body, role="rowgroup"),
        class_="table rows" if len(shown) > _FEW else "table",
        role="table",
        aria_labelledby=named_by,
    )


def _cells(heads: Sequence[str], row: Sequence[Inside], numbers: Collection[str]) -> Iterator[Html]:
    for place, (head, cell) in enumerate(zip(heads, row, strict=True)):
        if place:
            yield el("td", cell, data_head=head, class_=_class(head, numbers), role="cell")
        else:
            yield el("th", cell, scope="row", role="rowheader")


def _class(head: str, numbers: Collection[str]) -> str | None:
    return "number" if head in numbers else None
