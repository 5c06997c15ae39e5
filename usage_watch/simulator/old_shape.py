"""The older answer of v1: no `categories`, and a flat breakdown by one axis that is not named."""

from __future__ import annotations

from typing import Any


def flattened(page: dict[str, Any], axis: str | None) -> dict[str, Any]:
    """A page of v1 in its older shape. None: the dataset has no axis."""
    data = [
        {
            "start_time": bucket["start_time"],
            "end_time": bucket["end_time"],
            "count": bucket["count"],
            "by_category": bucket["by_categories"].get(axis, []),
        }
        for bucket in page["data"]
    ]
    return {"data": data, "has_more": page["has_more"], "next_page": page["next_page"]}
