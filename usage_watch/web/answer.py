"""What a page is: a function from what was asked to an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was let in: GET or HEAD, which a page need not tell apart."""

    path: str
    query: str
    """What stands behind the question mark, as it came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)
    """They go over those that every answer has."""


Page = Callable[[Asked], Answer]
Pages = Mapping[str, Page]
"""By path, exactly as it is written in a request."""


def line(text: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """One line of text."""
    return Answer(f"{text}\n".encode(), status)
