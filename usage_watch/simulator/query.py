"""From a request's parameters to a question, or to the refusal that the contract names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from . import cursor
from .arrays import DAY, HOUR
from .cursor import Cursor
from .datasets import DATASETS, Dataset
from .usage import Usage

WIDTHS = {"1d": DAY, "1h": HOUR}
LONGEST_WINDOW = 90 * DAY


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What one path takes."""

    path: str
    parameters: frozenset[str]
    datasets: Mapping[str, Dataset]
    limits: Mapping[str, tuple[int, int]]
    """Bucket width -> (default, largest) `limit`."""
    grouped: bool = False
    """Needs `group_by=user_email`."""


V1 = Endpoint(
    path="/v1/analytics/computer/usage",
    parameters=frozenset({"dataset", "start_time", "end_time", "bucket_width", "limit", "page", "user_email"}),
    datasets=DATASETS,
    limits={"1d": (7, 31), "1h": (24, 168)},
)
V2 = Endpoint(
    path="/v2/analytics/computer/usage",
    parameters=frozenset({"dataset", "group_by", "start_time", "end_time", "limit", "page"}),
    datasets={name: dataset for name, dataset in DATASETS.items() if dataset.member_axes is not None},
    limits={"1d": (50, 100)},
    grouped=True,
)


@dataclass(frozen=True, slots=True)
class Query:
    """A question that has an answer."""

    parameters: Mapping[str, str]
    dataset: Dataset
    width: int
    """Seconds of a bucket."""
    start: int
    """Start of the first bucket of the page, epoch seconds."""
    end: int
    """End of the last bucket of the window, epoch seconds; at or before `start` when no bucket is complete."""
    window_end: int
    """The same before it was snapped to the grid."""
    limit: int
    first_member: int
    """v2: where in its first day the page begins."""
    member: int | None
    """v1: the one member who is asked for."""

    def cursor(self, at: int, member: int = 0) -> str:
        """The `next_page` for a page that begins there."""
        return cursor.encode(Cursor(self.window_end, at, member), self.parameters)


class RefusedError(Exception):
    """A request that gets a 400."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def bad_request(message: str) -> RefusedError:
    """A parameter that is malformed, unknown or missing."""
    return RefusedError("bad_request", message)


def invalid_request(message: str) -> RefusedError:
    """Parameters that are well formed and ask for what there is not."""
    return RefusedError("invalid_request", message)


def read_query(endpoint: Endpoint, pairs: Iterable[tuple[str, str]], usage: Usage, now: datetime) -> Query:
    """Raises RefusedError; what is malformed is refused before what makes no sense."""
    given = _once_each(pairs, endpoint)
    if endpoint.grouped:
        _choice(given, "group_by", ("user_email",))
    dataset = endpoint.datasets[_choice(given, "dataset", endpoint.datasets)]
    width = _choice(given, "bucket_width", WIDTHS, default="1d")
    start = _number(given, "start_time")
    end = _number(given, "end_time", default=int(now.timestamp()))
    limit = _limit(given, width, endpoint)
    email = _email(given)
    _check_combination(dataset, width, email)
    member = None if email is None else _member(email, usage, now)
    page = _page(given)
    window_end = _window_end(start, end, now, page)
    seconds = WIDTHS[width]
    return Query(
        parameters=given,
        dataset=dataset,
        width=seconds,
        start=page.at if page else start // seconds * seconds,
        end=window_end // seconds * seconds,
        window_end=window_end,
        limit=limit,
        first_member=page.member if page else 0,
        member=member,
    )


def _once_each(pairs: Iterable[tuple[str, str]], endpoint: Endpoint) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in endpoint.parameters:
            raise bad_request(f"Unknown parameter: {name}.")
        if name in given:
            raise bad_request(f"Parameter {name} is given twice.")
        given[name] = value
    return given


def _choice(given: Mapping[str, str], name: str, choices: Iterable[str], default: str | None = None) -> str:
    value = given.get(name, default)
    if value is None:
        raise bad_request(f"Parameter {name} is required.")
    if value not in choices:
        raise bad_request(f"Parameter {name} must be one of: {', '.join(choices)}.")
    return value


def _number(given: Mapping[str, str], name: str, default: int | None = None) -> int:
    """At most 15 digits: every instant and count that makes sense has fewer."""
    if name not in given and default is not None:
        return default
    if name not in given:
        raise bad_request(f"Parameter {name} is required.")
    if not re.fullmatch("[0-9]{1,15}", given[name]):
        raise bad_request(f"Parameter {name} must be a whole number, 0 or above.")
    return int(given[name])


def _limit(given: Mapping[str, str], width: str, endpoint: Endpoint) -> int:
    default, largest = endpoint.limits[width]
    limit = _number(given, "limit", default)
    if not 1 <= limit <= largest:
        raise bad_request(f"Parameter limit must be from 1 to {largest} here.")
    return limit


def _email(given: Mapping[str, str]) -> str | None:
    email = given.get("user_email")
    if email is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise bad_request("Parameter user_email must be an email address.")
    return email


def _check_combination(dataset: Dataset, width: str, email: str | None) -> None:
    if dataset.daily_only and width != "1d":
        raise invalid_request(f"Dataset {dataset.name} has no bucket_width but 1d.")
    if dataset.daily_only and email is not None:
        raise invalid_request(f"Dataset {dataset.name} takes no user_email.")


def _member(email: str, usage: Usage, now: datetime) -> int:
    """The same generic message for a stranger and for somebody who left."""
    member = usage.organization.index_of_email.get(email)
    if member is None or member not in usage.current_members(now):
        raise invalid_request("The request is invalid.")
    return member


def _page(given: Mapping[str, str]) -> Cursor | None:
    if "page" not in given:
        return None
    page = cursor.decode(given["page"], given)
    if page is None:
        raise invalid_request("Parameter page is no cursor of a request with otherwise identical parameters.")
    return page


def _window_end(start: int, end: int, now: datetime, page: Cursor | None) -> int:
    if start > end:
        raise invalid_request("Parameter start_time lies after end_time.")
    window_end = page.end if page else min(end, int(now.timestamp()))
    if window_end - start > LONGEST_WINDOW:
        raise invalid_request("The window from start_time to end_time spans more than 90 days.")
    return window_end
