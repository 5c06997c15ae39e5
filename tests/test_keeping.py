"""How long things are kept, against how far back the rules look."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.rules.making import made
from usage_watch import yamlfile
from usage_watch.config import Config
from usage_watch.config.advice import warnings
from usage_watch.config.keeping import needs
from usage_watch.config.reading import read
from usage_watch.errors import RulesFileError

RULES = """\
channels: {screen: {kind: log}}
notify: [screen]
seats: {default: 500}
rules:
  - {id: usual, kind: zscore}
  - {id: pool, kind: budget, of: pool, limit: 5_000}
  - {id: off, kind: budget, limit: 5_000, period: year, enabled: no}
"""


def config(text: str) -> Config:
    return read(yamlfile.parse(text.encode(), "rules.yaml"))


def faults(text: str) -> list[str]:
    with pytest.raises(RulesFileError) as caught:
        config(text)
    return [fault.message for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("kind", "fields", "days"),
    [
        ("threshold", {"above": 5}, (92, 94)),
        ("zscore", {}, (230, 231)),
        ("budget", {"limit": 5, "period": "day"}, (91, 150)),
        ("budget", {"limit": 5, "period": "year"}, (456, 530)),
        ("budget", {"limit": 5, "period": {"rolling": "400d"}}, (491, 560)),
        ("budget", {"limit": 5, "period": {"every": "30d", "from": "2026-11-01"}}, (91, 180)),
        ("novelty", {"for_each": "Model"}, (181, 185)),
    ],
)
def test_what_a_rule_looks_at_gets_so_old(kind: str, fields: dict[str, object], days: tuple[int, int]) -> None:
    found = needs(made(kind, **fields), Config().defaults)
    assert timedelta(days=days[0]) <= found <= timedelta(days=days[1])
    assert not found % timedelta(days=1)


def test_less_than_the_rules_look_back_is_refused() -> None:
    assert faults(RULES + "store: {keep: 229d}") == ["`keep` must be 230d or more: rule `usual` looks back that far"]
    assert config(RULES + "store: {keep: 230d}").store.keep == timedelta(days=230)


def test_what_nobody_wrote_is_refused_for_no_rule() -> None:
    rolling = "  - {id: long, kind: budget, limit: 5_000, period: {rolling: 900d}}\n"
    assert config(RULES + rolling).store.keep == timedelta(days=730)
    assert faults(RULES + rolling + "store: {keep: 2y}")


def test_members_are_kept_longer_where_a_rule_judges_by_them() -> None:
    said = [each.message for each in warnings(config(RULES + "store: {keep_members: 90d}"), {}, {})]
    (warning,) = [each for each in said if "rule `pool`" in each]
    assert warning.startswith("what rule `pool` judges by is kept for up to 15")
    without = RULES.replace("of: pool, ", "") + "store: {keep_members: 90d}"
    assert not [each for each in warnings(config(without), {}, {}) if "is kept for" in each.message]
