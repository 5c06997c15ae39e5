from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, on_terminal
from tests.cli.stored import OPUS, SONNET, add, days, hours, store, usual
from usage_watch import yamlfile

SINCE = datetime(2026, 8, 24, tzinfo=UTC)
SPIKES = (datetime(2026, 10, 14, 9, tzinfo=UTC), datetime(2026, 11, 3, 22, tzinfo=UTC))
FILE = """\
channels: {{screen: {{kind: log}}}}
notify: [screen]
rules:
  - {rule}
"""
BY_MODEL = "{id: model-anomaly, kind: zscore, for_each: Model}"


def write(folder: Path, *rules: str) -> None:
    (folder / "rules.yaml").write_text(FILE.format(rule="\n  - ".join(rules)))


def of(cli: Cli) -> list[dict[str, Any]]:
    ran = cli("check", "--json")
    assert (ran.code, ran.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(ran.out)["zscores"]
    return found


@pytest.fixture
def quarter(folder: Path) -> Path:
    """Three months of two models, one of which ran away twice."""
    starts = hours(SINCE, NOW)
    opus, sonnet = usual(starts, 200, 1), usual(starts, 100, 2)
    for at in SPIKES:
        add(opus, starts, at, 4_000)
    for week in range(5, 12):  # what is only a little more than usual
        add(sonnet, starts, SINCE + timedelta(weeks=week, days=week % 5, hours=3 + week), 150)
    store(folder / "usage-watch.db", NOW, starts, {OPUS: opus, SONNET: sonnet})
    return folder


def test_it_says_how_often_each_level_would_have_fired(cli: Cli, quarter: Path) -> None:
    write(quarter, BY_MODEL)
    [found] = of(cli)
    assert (found["rule"], found["series"], found["young"]) == ("model-anomaly", 2, 0)
    assert (found["judged_from"], found["days"]) == ("2026-08-30T00:00:00Z", 84)
    levels = {(level["above"], level["severity"]): level for level in found["levels"]}
    assert list(levels) == [(3, None), (5, None), (6.5, "warning"), (8, "critical")]
    for own in ((6.5, "warning"), (8, "critical")):
        assert levels[own]["started"] == [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in SPIKES]
        assert (levels[own]["times"], levels[own]["per_month"], levels[own]["series"]) == (2, 0.71, 1)
    times = [level["times"] for level in found["levels"]]
    assert times == sorted(times, reverse=True)
    assert levels[3, None]["times"] > 2
    assert (found["raise_to"], found["in_vain"], found["near"]) == (None, False, True)
    assert found["highest"] > 8


def test_and_prints_it(cli: Cli, quarter: Path) -> None:
    write(quarter, BY_MODEL)
    ran = cli("check")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert "What zscore rules would have told of what is stored, 30 Aug to 22 Nov (UTC days)" in lines
    assert re.search(r"\nmodel-anomaly  84    3 +\d+ times +\d", ran.out)
    assert re.search(r"\n +6.5 warning  twice +0.7 +1 of 2 +3 Nov, 14 Oct\n", ran.out)


def test_every_method_and_width_is_counted(cli: Cli, quarter: Path) -> None:
    starts = days(SINCE, NOW)
    opus = usual(starts, 2_000, 1) * 10
    add(opus, starts, datetime(2026, 11, 10, tzinfo=UTC), 90_000)
    store(quarter / "usage-watch.db", NOW, starts, {OPUS: opus})
    write(
        quarter,
        "{id: days, kind: zscore, bucket: 1d}",
        "{id: plain, kind: zscore, method: plain, above: 9}",
        "{id: falls, kind: zscore, direction: both}",
        "{id: off, kind: zscore, enabled: no}",
    )
    found = {each["rule"]: each for each in of(cli)}
    assert list(found) == ["days", "plain", "falls"]
    [own] = [level for level in found["days"]["levels"] if level["severity"] == "warning"]
    assert "2026-11-10T00:00:00Z" in own["started"]
    assert [level["above"] for level in found["plain"]["levels"]] == [3, 5, 8, 9]
    assert found["plain"]["weekdays_from"] is None
    assert found["falls"]["highest"] >= 8


@pytest.mark.parametrize("hour", [0, 7, 23])
@pytest.mark.parametrize("rule", ["bucket: 1h", "bucket: 1d", "method: plain"])
def test_it_knows_when_a_rule_begins_to_speak(cli: Cli, folder: Path, hour: int, rule: str) -> None:
    begin = SINCE + timedelta(days=60, hours=hour)
    starts = hours(SINCE, NOW) if rule != "bucket: 1d" else days(SINCE, NOW)
    counts = np.where(starts >= begin.timestamp(), usual(starts, 200, 3) + 1, 0)
    store(folder / "usage-watch.db", NOW, starts, {OPUS: counts})
    write(folder, f"{{id: it, kind: zscore, for_each: Model, {rule}}}")
    [found] = of(cli)
    if rule != "method: plain":  # which takes zeros before the first usage for what they are
        assert found["judged_from"] == found["speaks_from"]
    assert found["judged_from"] <= found["speaks_from"]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (4, "silent until 24 Nov, with 4 days of history of the 6 that it takes."),
        (5, "silent until 23 Nov, with 5 days of history of the 6 that it takes."),
        (11, "goes by the hour of day only, workdays and weekends apart, until 27 Nov, with 11 days of history."),
    ],
)
def test_short_history_is_said(cli: Cli, folder: Path, known: int, said: str) -> None:
    starts = hours(NOW.replace(hour=0, minute=0) - timedelta(days=known), NOW)
    store(folder / "usage-watch.db", NOW, starts, {OPUS: usual(starts, 200, 4)})
    write(folder, BY_MODEL)
    assert f"\nmodel-anomaly: {said}" in cli("check").out


def test_young_series_are_counted(cli: Cli, folder: Path) -> None:
    starts = hours(SINCE, NOW)
    young = np.where(starts >= (NOW - timedelta(days=2)).timestamp(), 50, 0)
    store(folder / "usage-watch.db", NOW, starts, {OPUS: usual(starts, 200, 4), SONNET: young})
    write(folder, BY_MODEL)
    assert "1 of 2 series are not known for long enough." in cli("check").out


def test_what_fires_too_often_is_told_with_the_level_that_does_not(cli: Cli, quarter: Path) -> None:
    write(quarter, "{id: it, kind: zscore, for_each: Model, above: {warning: 1.5, critical: 3}}")
    [found] = of(cli)
    raised = found["raise_to"]
    assert raised["above"] > 1.5
    assert raised["per_month"] <= 1.2
    said = re.search(r"it: that is often; with `above: (\{.*\})` it would have been (\S+) a month", cli("check").out)
    assert said is not None
    write(quarter, f"{{id: it, kind: zscore, for_each: Model, above: {said[1]}}}")
    [after] = of(cli)
    own = {level["severity"]: level for level in after["levels"]}
    assert (own["warning"]["above"], own["warning"]["times"]) == (raised["above"], raised["times"])
    assert own["critical"]["above"] == raised["above"] + 1.5
    assert after["raise_to"] is None
    write(quarter, f"{{id: it, kind: zscore, for_each: Model, above: {raised['above'] - 0.5}}}")
    assert next(level["per_month"] for level in of(cli)[0]["levels"] if level["severity"]) > 1.2


def test_what_fires_too_often_at_any_level_is_said(cli: Cli, folder: Path) -> None:
    starts = hours(SINCE, NOW)
    counts = usual(starts, 3, 5)
    counts[(starts // 3600) % 197 == 0] += 100_000
    store(folder / "usage-watch.db", NOW, starts, {OPUS: counts})
    write(folder, "{id: it, kind: zscore, method: robust, for_each: Model}")
    assert of(cli)[0]["in_vain"]
    assert "\nit: that is often, whatever the level:" in cli("check").out


def test_that_nothing_came_near_is_said(cli: Cli, folder: Path) -> None:
    starts = hours(SINCE, NOW)
    store(folder / "usage-watch.db", NOW, starts, {OPUS: usual(starts, 200, 6)})
    write(folder, BY_MODEL)
    assert re.search(r"\nmodel-anomaly: nothing came near; the highest score was [0-3](\.\d)?\.\n", cli("check").out)


def test_what_has_not_settled_is_not_counted(cli: Cli, quarter: Path) -> None:
    write(quarter, BY_MODEL)
    before = of(cli)
    starts = hours(SINCE, NOW)
    late = usual(starts, 200, 1)
    add(late, starts, NOW.replace(minute=0) - timedelta(hours=2), 50_000, 2)
    store(quarter / "usage-watch.db", NOW, starts[-2:], {OPUS: late[-2:]})
    assert [each["levels"] for each in of(cli)] == [each["levels"] for each in before]


def test_nothing_is_judged_without_history(cli: Cli, folder: Path) -> None:
    write(folder, BY_MODEL)
    said = "\nNot judged yet, since nothing is stored of what they watch: model-anomaly.\n"
    assert said in cli("check").out
    [found] = of(cli)
    assert (found["levels"], found["known_from"]) == ([], None)
    (folder / "usage-watch.db").write_bytes(b"no database")
    assert said in cli("check").out


def test_a_feed_that_is_not_stored_is_told_apart(cli: Cli, quarter: Path) -> None:
    write(quarter, BY_MODEL, "{id: skills, kind: zscore, dataset: skills, bucket: 1d}")
    ran = cli("check").out
    assert "nothing is stored of what they watch: skills.\n" in ran
    assert re.search(r"\nmodel-anomaly  84 ", ran)


def test_hours_alone_are_told_to_have_days_beside_them(cli: Cli, quarter: Path) -> None:
    hourly = '{id: opus, kind: zscore, where: {Model: ["a: \\"b\\" {c}", "#\\u202e\\n*", \'yes\']}, notify: [screen]}'
    write(quarter, BY_MODEL, hourly)
    lines = cli("check").out.splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("model-anomaly, opus: on days beside the hours"))
    pasted = [line.removeprefix("  - ") for line in lines[place + 1 : place + 3]]
    assert [each["twin"] for each in of(cli)] == pasted
    assert not any("\u202e" in line for line in pasted)
    twins: Any = yamlfile.parse(f"x: [{', '.join(pasted)}]".encode(), "pasted").data["x"]
    assert twins == [
        {"id": "model-anomaly-days", "kind": "zscore", "bucket": "1d", "for_each": "Model"},
        {
            "id": "opus-days",
            "kind": "zscore",
            "bucket": "1d",
            "where": {"Model": ['a: "b" {c}', "#\u202e\n*", "yes"]},
            "notify": ["screen"],
        },
    ]
    write(quarter, BY_MODEL, hourly, *pasted)
    assert "beside the hours" not in cli("check").out
    assert [each["twin"] for each in of(cli)] == [None] * 4
    write(quarter, *pasted)
    assert "beside" not in cli("check").out


@pytest.mark.parametrize(
    "rule", ["method: plain", "statistic: share, where: {Model: x}", "dataset: query_volume", "for_each: member"]
)
def test_only_what_has_a_better_twin_is_told(cli: Cli, folder: Path, rule: str) -> None:
    write(folder, f"{{id: it, kind: zscore, {rule}}}")
    assert "beside the hours" not in cli("check").out


def test_a_twin_gets_an_id_of_its_own(cli: Cli, folder: Path) -> None:
    write(folder, BY_MODEL, "{id: model-anomaly-days, kind: threshold, above: 5}")
    assert of(cli)[0]["twin"].startswith("{id: model-anomaly-days1, ")


def test_files_without_a_zscore_open_no_database(cli: Cli, folder: Path) -> None:
    write(folder, "{id: it, kind: threshold, above: 5}")
    assert of(cli) == []
    assert "zscore" not in cli("check").out


def test_80_columns_are_enough_and_progress_is_gone(cli: Cli, quarter: Path) -> None:
    write(quarter, BY_MODEL, "{id: low, kind: zscore, above: 1.5}")
    code, seen = on_terminal("check")
    assert code == 0
    assert (
        "\r\x1b[Kcounting what model-anomaly would have told\r\x1b[Kcounting what low would have told\r\x1b[K" in seen
    )
    shown = re.sub(r"\r\x1b\[K(counting [^\r]*)?", "", seen)
    assert max(map(len, shown.splitlines())) <= 80
    assert "counting" not in shown
