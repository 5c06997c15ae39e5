"""The levels of a budget, as users write them: percentages of the limit."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from usage_watch.core.message import Severity
from usage_watch.core.units import parse_percent

Rung = tuple[Severity, float]
"""A severity and the percentage of the limit at which it is reached."""

_HELP = "write levels such as {info: 50%, warning: 80%, critical: 100%}, [50%, 80%, 100%] or {80%: warning}"
_MOST_LEVELS = 100


def _levels(value: Any) -> tuple[Rung, ...]:
    """Any of the three spellings, as rungs in the order of their percentage."""
    if isinstance(value, list):
        rungs = [(Severity.WARNING, share) for share in sorted(_share(item) for item in value)]
        rungs[-1:] = [(Severity.CRITICAL, rungs[-1][1])] if rungs else []
    elif isinstance(value, dict):
        rungs = [rung for key, item in value.items() for rung in _rungs(key, item)]
    else:
        raise ValueError(_HELP)
    shares = [share for _, share in rungs]
    if not rungs or len(set(shares)) < len(shares):
        raise ValueError("names two levels at the same percentage; keep one" if rungs else _HELP)
    if len(rungs) > _MOST_LEVELS:
        raise ValueError(f"names more than {_MOST_LEVELS} levels; keep those that somebody would act on")
    return tuple(sorted(rungs, key=lambda rung: rung[1]))


def _rungs(key: str, item: Any) -> list[Rung]:
    if key in list(Severity):
        return [(Severity(key), _share(each)) for each in (item if isinstance(item, list) else [item])]
    if item in list(Severity):
        return [(Severity(item), _share(key))]
    raise ValueError(_HELP)


def _share(text: Any) -> float:
    if not isinstance(text, str):
        raise ValueError("takes percentages such as 80%")
    return parse_percent(text)


_PERCENT = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$"}
_PERCENTS = {"type": "array", "items": _PERCENT, "minItems": 1}
_LEVELS_SCHEMA = {
    "anyOf": [
        {
            "type": "object",
            "minProperties": 1,
            "properties": {severity.value: {"anyOf": [_PERCENT, _PERCENTS]} for severity in Severity},
            "patternProperties": {_PERCENT["pattern"]: {"enum": [severity.value for severity in Severity]}},
            "additionalProperties": False,
        },
        _PERCENTS,
    ],
    "examples": [{"info": "50%", "warning": "80%", "critical": ["100%", "120%"]}],
}

Levels = Annotated[
    tuple[Rung, ...],
    PlainValidator(_levels),
    PlainSerializer(
        lambda rungs: {f"{share:g}%": severity.value for severity, share in rungs}, return_type=dict[str, str]
    ),
    WithJsonSchema(_LEVELS_SCHEMA),
]

DEFAULT_LEVELS: Any = {"info": "50%", "warning": "80%", "critical": "100%"}
"""As a user would write them."""
