"""Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LABEL = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One value and what it is of."""

    value: float
    labels: Mapping[str, str]
    suffix: str = ""
    """Behind the family's name: `_sum` and `_count` of a summary."""


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one name."""

    name: str
    kind: Literal["counter", "gauge", "summary"]
    help: str
    samples: Iterable[Sample]


def exposition(families: Iterable[Family]) -> bytes:
    """As a scraper reads it; a family without samples is left out."""
    return "".join(text for family in families for text in _lines(family)).encode("utf-8", "replace")


def _lines(family: Family) -> Iterator[str]:
    samples = [
        f"{family.name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}\n" for sample in family.samples
    ]
    if samples:
        yield f"# HELP {family.name} {family.help.translate(_HELP)}\n"
        yield f"# TYPE {family.name} {family.kind}\n"
        yield from samples


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{value.translate(_LABEL)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
