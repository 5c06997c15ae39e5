"""The analytics API as a pure function of the request and the time."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from typing import Any, Literal

import numpy as np

from .arrays import DAY, HOUR
from .old_shape import flattened
from .query import V1, V2, Endpoint, Query, RefusedError, read_query
from .tally import Tally, tally
from .usage import Usage

_ENDPOINTS = {endpoint.path: endpoint for endpoint in (V1, V2)}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response with a JSON body."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnalyticsApi:
    """The API of one organization. `dataclasses.replace` revokes the key or switches the feature off."""

    usage: Usage
    key: str = field(repr=False)
    enabled: bool = True
    """Off: every question gets 404 `feature_disabled`."""
    old_shape: bool | Literal["Model"] = False
    """v1 answers without `categories`, with a flat `by_category`; "Model": credit_usage by Model, not Credit Source."""

    def answer(
        self, method: str, path: str, query: Iterable[tuple[str, str]], headers: Mapping[str, str], now: datetime
    ) -> Answer:
        """What the API answers at `now`. path: without the query; query: decoded (name, value) pairs."""
        endpoint = _ENDPOINTS.get(path)
        if endpoint is None:
            return error(404, "not_found", "There is nothing at this path.")
        if method != "GET":
            return error(405, "method_not_allowed", "Only GET is allowed here.", {"Allow": "GET"})
        if not self._is_authorized(headers):
            return error(401, "unauthorized", "The API key is missing or invalid.", {"WWW-Authenticate": "Bearer"})
        if not self.enabled:
            return error(404, "feature_disabled", "The analytics API is not enabled for this organization.")
        return self._answer(endpoint, query, now)

    def _is_authorized(self, headers: Mapping[str, str]) -> bool:
        given = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
        return hmac.compare_digest(given.encode(), f"Bearer {self.key}".encode())

    def _answer(self, endpoint: Endpoint, pairs: Iterable[tuple[str, str]], now: datetime) -> Answer:
        try:
            query = read_query(endpoint, pairs, self.usage, now)
        except RefusedError as refusal:
            return error(400, refusal.kind, refusal.message)
        if endpoint.grouped:
            return Answer(200, _member_page(self.usage, query, now))
        page = _bucket_page(self.usage, query, now)
        return Answer(200, flattened(page, _old_axis(query, self.old_shape)) if self.old_shape else page)


def error(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer in the API's error shape."""
    return Answer(status, {"error": {"message": message, "type": kind, "code": status}}, headers or {})


def _old_axis(query: Query, old_shape: bool | str) -> str | None:
    if query.dataset.name == "credit_usage":
        return "Model" if old_shape == "Model" else "Credit Source"
    return next(iter(query.dataset.axes), None)


def _bucket_page(usage: Usage, query: Query, now: datetime) -> dict[str, Any]:
    """v1: buckets in order, the complete ones alone."""
    stop = min(query.start + query.limit * query.width, query.end)
    data: list[dict[str, Any]] = []
    for day, starts in groupby(range(query.start, stop, query.width), lambda start: start // DAY):
        counts = _by_time(usage, query, day, now)
        for start in starts:
            row = counts.row(start % DAY // query.width)
            data.append({"start_time": start, "end_time": start + query.width, **row})
    has_more = stop < query.end
    return _page(query.dataset.axes, data, query.cursor(stop) if has_more else None)


def _by_time(usage: Usage, query: Query, day: int, now: datetime) -> Tally:
    made = usage.day(day)
    chosen = made.seen(now)
    if query.member is not None:
        chosen &= made.threads.member == query.member
    group = made.threads.hour * HOUR // query.width
    categories = usage.organization.categories
    return tally(query.dataset, query.dataset.axes, categories, made.threads, chosen, group, DAY // query.width)


def _member_page(usage: Usage, query: Query, now: datetime) -> dict[str, Any]:
    """v2: rows in the order of (day, member); a day may go on upon the next page."""
    rows = list(islice(_member_rows(usage, query, now), query.limit + 1))
    following = rows[query.limit :]
    data = [
        {"start_time": start, "end_time": start + DAY, "results": [row for _, _, row in of_day]}
        for start, of_day in groupby(rows[: query.limit], lambda row: row[0])
    ]
    next_page = query.cursor(*following[0][:2]) if following else None
    return _page(query.dataset.member_axes or (), data, next_page)


def _member_rows(usage: Usage, query: Query, now: datetime) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(start of the day, member, row) from where the page begins to the end of the window."""
    resolvable = usage.current_members(now)
    for start in range(query.start, query.end, DAY):
        counts = _by_member(usage, query, start // DAY, now)
        for member in np.flatnonzero(counts.totals).tolist():
            if member in resolvable and (start, member) >= (query.start, query.first_member):
                email = usage.organization.members[member].email
                yield start, member, {"user_email": email, **counts.row(member)}


def _by_member(usage: Usage, query: Query, day: int, now: datetime) -> Tally:
    made, organization = usage.day(day), usage.organization
    chosen = made.seen(now)
    axes = query.dataset.member_axes or ()
    groups = len(organization.members)
    return tally(query.dataset, axes, organization.categories, made.threads, chosen, made.threads.member, groups)


def _page(categories: tuple[str, ...], data: list[dict[str, Any]], next_page: str | None) -> dict[str, Any]:
    return {"categories": list(categories), "data": data, "has_more": next_page is not None, "next_page": next_page}
