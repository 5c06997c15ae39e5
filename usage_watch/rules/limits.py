"""Limits as users write them: a number, a share such as 60%, or a duration such as 30m; one, or by severity."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from usage_watch.core.units import parse_duration
from usage_watch.rules.common import Strict

_WANTED = "write a number such as 5000, a share such as 60%, or a duration such as 30m"
_DURATION = r"^(?=[0-9])" + "".join(f"([0-9]+{unit})?" for unit in "ywdhms") + "$"


class Share(float):
    """A number that was written with `%`."""


class Seconds(float):
    """A number that was written as a duration."""


def _limit(value: object) -> float:
    if isinstance(value, str):
        with suppress(ValueError):
            return Seconds(parse_duration(value).total_seconds())
        if value.endswith("%"):
            return Share(_finite(value[:-1].strip()))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(_WANTED)
    return _finite(value)


def _finite(value: str | float) -> float:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(_WANTED) from None
    if not 0 <= number < float("inf"):
        raise ValueError("write a number from 0 up")
    return number


Limit = Annotated[
    float,
    PlainValidator(_limit),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"},
                {"type": "string", "pattern": _DURATION},
            ]
        }
    ),
]


class Limits(Strict):
    """A limit for each severity that the rule shall speak at."""

    info: Limit | None = None
    """Worth knowing."""
    warning: Limit | None = None
    """Somebody should look today."""
    critical: Limit | None = None
    """Somebody should look now."""


__all__ = ["Limit", "Limits", "Seconds", "Share"]
