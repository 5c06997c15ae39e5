"""The analytics API's JSON, read: strict about what is relied on, blind to keys that nobody knows yet.

Two decisions of ours, where the contract is silent. An axis may sum to more than its count: the overlapping ones do,
and for the others it is the source's matter, while a refusal would cost the whole feed. And an axis that the answer
does not name in `categories` is unknown, not zero: that is how old answers and a shrinking API look alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from usage_watch.core.datasets import DATASETS
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, SeriesKey
from usage_watch.source.errors import broken, clean, drifted
from usage_watch.source.strictjson import parse_object

BUCKETS_A_PAGE: dict[int, int] = {HOUR: 168, DAY: 31}
ROWS_A_PAGE = 100
"""Member rows; like the buckets above, the most that the API gives."""
BIGGEST = 2**53
LONGEST_TEXT = 1000
LONGEST_CURSOR = 4096
SHOWN = 40
_HALF = re.compile("[\ud800-\udfff]")

Row = tuple[SeriesKey, int, int]
"""(series, start in epoch seconds, count)"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is an answer to. Times are epoch seconds on the feed's grid."""

    feed: Feed
    start: int
    end: int
    """Exclusive, and no later than the last bucket that was complete when the page was asked for."""
    floor: int
    """Where this page may begin: after the buckets of the pages before it; v2 may go on with their last day."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, checked."""

    axes: tuple[str, ...]
    """The axes that its counts are split by."""
    starts: tuple[int, ...]
    """Buckets that came, ascending, each once; epoch seconds."""
    rows: tuple[Row, ...]
    """Everything that came, zeros too: a total (no axis) for each bucket, or for each member and day, and its axes."""
    next_page: str | None
    """The cursor; None on the last page."""
    body: bytes = field(default=b"", repr=False, compare=False)
    """The page as it came, for a fault that shows only beside other pages."""


def read_page(body: bytes, asked: Asked) -> Page:
    """Read one page of v1 or, for a feed of each member, of v2.

    Raises AnalyticsError: BROKEN, or DRIFT where the page is JSON, but not what the contract promises.
    """
    try:
        page = parse_object(body)
    except ValueError as error:
        raise broken(asked.feed, f"its body cannot be read, {error}") from None
    try:
        found = _members_page(page, asked) if asked.feed.scope == EACH_MEMBER else _series_page(page, asked)
    except _WrongError as wrong:
        raise drifted(asked.feed, str(wrong), body) from None
    return replace(found, body=body)


class _WrongError(Exception):
    """Something in a page that breaks the contract, and where."""

    def __init__(self, where: str, value: object, expected: str) -> None:
        super().__init__(f"`{where}` is {_shown(value)}, not {expected}")


@dataclass(frozen=True, slots=True)
class _Split:
    """How the buckets of a page are split: by several named axes, or by a flat list without a name (the old shape)."""

    axes: tuple[str, ...]
    flat: bool = False


def _series_page(page: dict[str, Any], asked: Asked) -> Page:
    buckets = _list(page, "data", "data")
    split = _split(page, buckets, asked.feed)
    starts: list[int] = []
    rows: list[Row] = []
    floor = asked.floor
    for where, bucket in _each(buckets, "data"):
        start = _start(bucket, where, asked, floor)
        floor = start + asked.feed.width
        starts.append(start)
        rows += _counts(bucket, where, split, SeriesKey(asked.feed, member=asked.feed.member), start)
    return Page(split.axes, tuple(starts), tuple(rows), _next_page(page))


def _members_page(page: dict[str, Any], asked: Asked) -> Page:
    split = _Split(_axes(page, asked.feed))
    starts: dict[int, None] = {}
    rows: list[Row] = []
    floor = asked.floor
    for where, day in _each(_list(page, "data", "data"), "data"):
        floor = _start(day, where, asked, floor)
        starts[floor] = None
        for place, row in _each(_list(day, "results", f"{where}.results"), f"{where}.results"):
            member = _text(row.get("user_email"), f"{place}.user_email", least=1)
            rows += _counts(row, place, split, SeriesKey(asked.feed, member=member), floor)
    return Page(split.axes, tuple(starts), tuple(rows), _next_page(page))


def _split(page: dict[str, Any], buckets: list[Any], feed: Feed) -> _Split:
    if "categories" in page:
        return _Split(_axes(page, feed))
    seen = {
        _text(entry.get("category"), f"{place}.category")
        for where, bucket in _each(buckets, "data")
        for place, entry in _each(_list(bucket, "by_category", f"{where}.by_category"), f"{where}.by_category")
    }
    axis = _flat_axis(feed.dataset, seen)
    return _Split((axis,) if axis else (), flat=True)


def _flat_axis(dataset: str, categories: set[str]) -> str | None:
    """Which axis the old shape means without naming it; None where nothing tells."""
    if dataset == "credit_usage":
        return "Credit Source" if categories <= {"paid", "promo"} else "Model"
    if dataset == "query_volume":
        return "Feature"
    known = DATASETS.get(dataset)
    return known.axes[0] if known and len(known.axes) == 1 else None


def _axes(page: dict[str, Any], feed: Feed) -> tuple[str, ...]:
    """The axes that an answer names: at least one of those that its dataset is known to have, if it counts anything."""
    labels = _list(page, "categories", "categories")
    axes = tuple(_text(label, f"categories[{i}]", least=1) for i, label in enumerate(labels))
    if len(set(axes)) < len(axes):
        raise _WrongError("categories", labels, "a list without doubles")
    known = DATASETS.get(feed.dataset)
    if known and known.axes and page.get("data") and not set(known.axes) & set(axes):
        raise _WrongError("categories", ", ".join(axes), f"what {feed.dataset} is split by ({', '.join(known.axes)})")
    return axes


def _counts(item: dict[str, Any], where: str, split: _Split, total: SeriesKey, start: int) -> Iterator[Row]:
    """The total of a bucket or member row, and its count in each category of each axis."""
    count = _count(item.get("count"), f"{where}.count")
    yield total, start, count
    for axis in split.axes:
        place, entries = _entries(item, where, axis, split.flat, count)
        seen: set[str] = set()
        for spot, entry in _each(entries, place):
            category = _text(entry.get("category"), f"{spot}.category")
            if category in seen:
                raise _WrongError(f"{spot}.category", category, "a category that its list has once")
            seen.add(category)
            key = SeriesKey(total.feed, axis, category, total.member)
            yield key, start, _count(entry.get("count"), f"{spot}.count")


def _entries(item: dict[str, Any], where: str, axis: str, flat: bool, count: int) -> tuple[str, list[Any]]:
    """Where the counts of an axis stand, and they themselves; a count of 0 needs none."""
    if flat:
        return f"{where}.by_category", item["by_category"]
    parts = item.get("by_categories")
    if not isinstance(parts, dict):
        raise _WrongError(f"{where}.by_categories", parts, "an object")
    place = f"{where}.by_categories[{_shown(axis)}]"
    if count == 0 and axis not in parts:
        return place, []
    return place, _list(parts, axis, place)


def _start(bucket: dict[str, Any], where: str, asked: Asked, floor: int) -> int:
    """A bucket's start, once it and its end are on the grid, in the window, complete and in order."""
    width = asked.feed.width
    start = _count(bucket.get("start_time"), f"{where}.start_time")
    end = _count(bucket.get("end_time"), f"{where}.end_time")
    if start % width:
        raise _WrongError(f"{where}.start_time", start, f"a multiple of {width} s")
    if end != start + width:
        raise _WrongError(f"{where}.end_time", end, f"{width} s after its start")
    if not asked.start <= start or end > asked.end:
        window = f"in the complete buckets asked for, {_time(asked.start)} to {_time(asked.end)}"
        raise _WrongError(f"{where}.start_time", start, window)
    if start < floor:
        raise _WrongError(f"{where}.start_time", start, "later than the bucket before it")
    return start


def _next_page(page: dict[str, Any]) -> str | None:
    more, cursor = page.get("has_more"), page.get("next_page")
    if not isinstance(more, bool):
        raise _WrongError("has_more", more, "true or false")
    if cursor is not None:
        _text(cursor, "next_page", most=LONGEST_CURSOR)
    if more and not cursor:
        raise _WrongError("next_page", cursor, "a cursor, although `has_more` is true")
    return cursor if more else None


def _each(items: list[Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a list, each with its place."""
    for i, item in enumerate(items):
        place = f"{where}[{i}]"
        if not isinstance(item, dict):
            raise _WrongError(place, item, "an object")
        yield place, item


def _list(parent: dict[str, Any], key: str, where: str) -> list[Any]:
    value = parent.get(key)
    if not isinstance(value, list):
        raise _WrongError(where, value, "a list")
    return value


def _count(value: object, where: str) -> int:
    if type(value) is not int or not 0 <= value <= BIGGEST:
        raise _WrongError(where, value, "a whole number from 0 to 2^53")
    return value


def _text(value: object, where: str, *, least: int = 0, most: int = LONGEST_TEXT) -> str:
    """Text that can be stored: not endless, and without half a surrogate pair, which UTF-8 has no bytes for."""
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise _WrongError(where, value, f"text of {least} to {most} characters")
    if _HALF.search(value):
        raise _WrongError(where, value, "text that can be stored (it holds half a character)")
    return value


def _shown(value: object) -> str:
    """What came, short and harmless: text from outside never stands in an error at length."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if value is None:
        return "missing or null"
    return clean(json.dumps(value[:SHOWN] if isinstance(value, str) else value, ensure_ascii=False), SHOWN)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")
