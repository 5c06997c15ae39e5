from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.cli.office import NOW
from tests.cli.stored import OPUS, SONNET, days, hours, store
from tests.core.drawings import check
from usage_watch.config import load
from usage_watch.core.chart import Look, on_page
from usage_watch.errors import UsageError
from usage_watch.store.database import open_for_reading, open_for_writing
from usage_watch.views.charts import Asked, choose, drawn

RULES = """\
timezone: Europe/Berlin
billing_day: 14
source: {base_url: "http://localhost:1/", backfill: 6d}
rules:
  - {id: models, kind: threshold, for_each: Model, above: {warning: 500}}
  - {id: all, kind: threshold, above: {warning: 500}}
  - {id: people, kind: budget, for_each: member, limit: 9_000}
"""


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """The first of these rules, and a database of six days."""
    path, rules = tmp_path / "usage-watch.db", tmp_path / "rules.yaml"
    rules.write_text(f"store: {{path: {path}}}\n{RULES}")
    open_for_writing(path).close()
    over = hours(NOW - timedelta(days=6), NOW)
    store(path, NOW, over, {SONNET: np.full(len(over), 70), OPUS: np.full(len(over), 300)})
    by_day = days(NOW - timedelta(days=6), NOW)
    used = {"ana@example.com": np.full(len(by_day), 70), "bo@example.com": np.full(len(by_day), 900)}
    store(path, NOW, by_day, used, members=True)
    config = load(rules, {})
    with open_for_reading(path) as database:
        yield Asked(config, database, config.rules[0], NOW)


def of(asked: Asked, id: str) -> Asked:
    return replace(asked, rule=next(rule for rule in asked.config.rules if rule.id == id))


def test_without_a_choice_the_largest_series_is_drawn_of_all_that_there_are(asked: Asked) -> None:
    assert [(each.labels, each.every) for each in (choose(asked), choose(of(asked, "people")))] == [
        ({"Model": OPUS}, [{"Model": OPUS}, {"Model": SONNET}]),
        ({"member": "bo@example.com"}, [{"member": "bo@example.com"}, {"member": "ana@example.com"}]),
    ]


@pytest.mark.parametrize(
    ("id", "labels"),
    [("models", {"Model": SONNET}), ("people", {"member": "ana@example.com"}), ("all", {})],
)
def test_a_series_is_chosen_by_its_labels_as_an_alert_has_them(asked: Asked, id: str, labels: dict[str, str]) -> None:
    choice = choose(replace(of(asked, id), series=labels))
    assert choice.labels == labels
    [svg] = drawn(choice, [Look()])
    assert check(svg)[0].text == ": ".join([id, *labels.values()])


@pytest.mark.parametrize(
    ("id", "labels"),
    [("models", {"Model": "nobody"}), ("models", {"member": SONNET}), ("models", {}), ("all", {"Model": SONNET})],
)
def test_labels_that_no_series_has_are_refused(asked: Asked, id: str, labels: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=f"^{id} has no series '{' '.join(labels.values())}'; the largest are "):
        choose(replace(of(asked, id), series=labels))


@pytest.mark.parametrize("id", ["models", "people"])
def test_one_choice_is_drawn_for_each_look(asked: Asked, id: str) -> None:
    wide, narrow = drawn(choose(of(asked, id)), on_page("one", titled=True))
    assert check(wide)[0].text == check(narrow)[0].text
    assert ("chart-wide" in wide, "chart-narrow" in narrow) == (True, True)


def test_what_is_drawn_in_its_period_begins_with_that_whatever_is_asked_for(asked: Asked) -> None:
    choice = choose(replace(of(asked, "people"), since_at=NOW - timedelta(days=90)))
    assert choice.budget is not None
    assert choice.budget.span is not None
    assert choice.since_at == choice.budget.span.start_at
