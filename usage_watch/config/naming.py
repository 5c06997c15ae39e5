"""`bands`: how long the tasks took of a duration band whose name does not say so."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from usage_watch.core.units import parse_duration

_WANTED = "write from and to such as [1m, 5m], [1h] for all that took longer, or off for what is not to be counted"
_DURATION = {"type": "string", "pattern": r"^(?=[0-9])([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"}


def _edges(written: object) -> tuple[float, float]:
    if written == "off":
        return 0.0, 0.0
    edges = [_seconds(each) for each in written] if isinstance(written, list | tuple) else []
    if len(edges) not in (1, 2):
        raise ValueError(_WANTED)
    low, high = edges if len(edges) > 1 else (*edges, math.inf)
    if low >= high:
        raise ValueError(f"must end after it begins; {_WANTED}")
    return low, high


def _seconds(written: object) -> float:
    try:
        return parse_duration(str(written)).total_seconds()
    except ValueError:
        raise ValueError(_WANTED) from None


BandEdges = Annotated[
    tuple[float, float],
    PlainValidator(_edges),
    WithJsonSchema(
        {
            "anyOf": [{"type": "array", "minItems": 1, "maxItems": 2, "items": _DURATION}, {"enum": ["off"]}],
            "examples": [["1m", "5m"], ["1h"], "off"],
        }
    ),
]
"""From and to, in seconds: `[1m, 5m]`; to infinity, `[1h]`; from 0 to 0 where nothing of it counts, `off`."""
