"""JSON as RFC 8259 has it: what Python's parser would wave through is refused."""

from __future__ import annotations

import json
import math
from typing import Any

LONGEST_INT = 20
"""Digits: enough for 64 bits; Python refuses over 4,300 with a message for programmers."""


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body holds.

    Raises ValueError, which never quotes the body: invalid UTF-8, NaN and infinities, numbers out of range, a key
    twice in one object, nesting too deep, anything but an object.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON from character {error.pos} on") from None
    if not isinstance(value, dict):
        raise ValueError("it is JSON, but no object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _constant(_: str) -> float:
    raise ValueError("it holds NaN or Infinity")


def _whole(text: str) -> int:
    if len(text) > LONGEST_INT:
        raise ValueError("a number in it is out of range")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number in it is out of range")
    return number
