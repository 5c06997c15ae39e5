"""Pages of the analytics API, built by hand: the happy answers that faults are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Categories = Mapping[str, Mapping[str, int]]
"""{axis: {category: count}}"""
EMPTY: Categories = {"Model": {}}


def bucket(start: int, width: int, count: int = 0, parts: Categories | None = None) -> dict[str, Any]:
    """A bucket as v1 writes it; without parts, nothing of it is attributed."""
    return {"start_time": start, "end_time": start + width, "count": count, "by_categories": _lists(parts or EMPTY)}


def old_bucket(start: int, width: int, count: int, parts: Mapping[str, int]) -> dict[str, Any]:
    """A bucket of the older answer: one flat list, its axis not named."""
    return {"start_time": start, "end_time": start + width, "count": count, "by_category": _list(parts)}


def member(email: str, count: int, parts: Categories | None = None) -> dict[str, Any]:
    """A row of v2."""
    return {"user_email": email, "count": count, "by_categories": _lists(parts or EMPTY)}


def day(start: int, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A day of v2."""
    return {"start_time": start, "end_time": start + 86400, "results": list(rows)}


def page(
    data: Sequence[dict[str, Any]], axes: Sequence[str] | None = ("Model",), next_page: str | None = None
) -> dict[str, Any]:
    """A page; without axes at all (None) it is the older answer."""
    categories = {} if axes is None else {"categories": list(axes)}
    return {**categories, "data": list(data), "has_more": next_page is not None, "next_page": next_page}


def _lists(parts: Categories) -> dict[str, list[dict[str, Any]]]:
    return {axis: _list(counts) for axis, counts in parts.items()}


def _list(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"category": category, "count": count} for category, count in counts.items()]
