from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, on_terminal
from tests.cli.stored import days, store
from tests.core.drawings import check, texts, tips
from usage_watch.channels.email import picture

MORE = """\
  - {id: rolling, kind: budget, limit: 90_000, period: {rolling: 5d}, title: "$rule of $value"}
  - {id: people, kind: budget, for_each: member, limit: 9_000}
  - {id: later, kind: budget, limit: 10, period: {every: 30d, from: 2027-01-01}}
  - {id: hand, kind: threshold, above: 5, where: {Model: nobody-has-it}, for_each: Model}
  - {id: tasks, kind: threshold, dataset: task_durations, above: 5}
  - {id: last, kind: threshold, above: 5}
"""


@pytest.fixture
def charts(watched: Path) -> Path:
    """Rules of every kind beside a database of six days."""
    watched.write_text(watched.read_text() + MORE)
    over = days(NOW - timedelta(days=6), NOW)
    members = {
        name: np.full(len(over), used) for name, used in (("priya.nair@example.com", 70), ("lars@example.com", 7))
    }
    store(watched.parent / "usage-watch.db", NOW, over, members, members=True)
    return watched


def test_a_rule_is_drawn_as_it_is_judged(cli: Cli, charts: Path) -> None:
    ran = cli("chart", "runaway")
    assert (ran.code, ran.err) == (0, "")
    root = check(ran.out)
    assert root[0].text == "runaway"
    assert re.fullmatch(
        r"Sun 15 Nov to Sun 22 Nov: 0 to [\d,]+ credits in 3 h, at last [\d,]+; 2 alerts\.", str(root[1].text)
    )
    assert {"credits in 3 h", "warning 2,000", "warning alert"} <= set(texts(ran.out))
    assert any(each.startswith("warning: ") and "over the warning limit of 2,000" in each for each in tips(ran.out))


def test_since_says_from_when_on(cli: Cli, charts: Path) -> None:
    assert "Sun 22 Nov" in str(check(cli("chart", "runaway", "--since", "12h").out)[1].text)
    assert cli("chart", "runaway", "--since", "soon").code == 2


def test_of_several_series_the_largest_is_drawn_and_the_others_are_named(cli: Cli, charts: Path) -> None:
    ran = cli("chart", "heavy-day")
    largest = re.fullmatch(
        r"(\S+) is drawn, the largest of (\d+); others are ([^,]+), [^:]*: choose with --series\.\n", ran.err
    )
    assert largest is not None
    assert check(ran.out)[0].text == f"heavy-day: {largest[1]}"
    for name in (largest[3], f"member={largest[3].upper()}"):
        other = cli("chart", "heavy-day", "--series", name)
        assert (other.code, other.err) == (0, "")
        assert check(other.out)[0].text == f"heavy-day: {largest[3]}"


def test_a_budget_is_drawn_in_its_period(cli: Cli, charts: Path) -> None:
    ran = cli("chart", "cycle")
    assert (ran.code, ran.err) == (0, "")
    root = check(ran.out)
    assert root[0].text == "Credits of this cycle"
    assert re.match(r"[\d,]+ credits of 20,000 spent, [\d,]+ %\.", str(root[1].text))
    assert {"limit 20,000", "even pace", "80 % 16,000"} <= set(texts(ran.out))


def test_each_member_of_a_budget_can_be_drawn(cli: Cli, charts: Path) -> None:
    assert check(cli("chart", "people", "--series", "ana@example.com").out)[0].text == "people: ana@example.com"
    assert "is drawn, the largest of" in cli("chart", "people").err


def test_a_rolling_budget_is_drawn_over_time(cli: Cli, charts: Path) -> None:
    ran = cli("chart", "rolling", "--since", "3d")
    assert check(ran.out)[0].text == "rolling"  # what its title is filled in with is each alert's
    assert {"credits in 5 d", "100 % 90,000"} <= {
        *texts(ran.out),
        *(each.split(" is far")[0] for each in texts(ran.out)),
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("nope",),
            "There is no rule 'nope'; rules are runaway, heavy-day, cycle, rolling, people, later, hand, tasks, ….",
        ),
        (("runaway", "--series", "x"), "runaway has only one series; leave --series out."),
        (("heavy-day", "--series", "\x1bx"), "heavy-day has no series 'x'; the largest are "),
        (("cycle", "--since", "3d"), "cycle is drawn from the start of its period on; leave --since out."),
        (("later",), "The first period of later has not begun; there is nothing to draw yet."),
        (("hand",), "hand has no series yet; `usage-watch status` says what is read."),
        (("tasks",), "Nothing is stored of task_durations 1h yet; `usage-watch status` says what is read."),
        (("runaway", "--since", "1m"), "Nothing of runaway is stored since then; write an earlier --since."),
        (
            ("runaway", "--output", "no/such/folder.svg"),
            "no/such/folder.svg cannot be written: No such file or directory.",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_sentence(
    cli: Cli, charts: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = cli("chart", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"usage-watch: {sentence}")
    assert ran.err.count("\n") == 1


def test_it_is_written_to_a_file(cli: Cli, charts: Path, folder: Path) -> None:
    ran = cli("chart", "runaway", "--output", "chart.svg")
    assert (ran.code, ran.out) == (0, "")
    check((folder / "chart.svg").read_text())


def test_a_picture_is_written_to_a_file(cli: Cli, charts: Path, folder: Path) -> None:
    pytest.importorskip("resvg_py", reason="needs the extra `png`")
    assert cli("chart", "runaway", "--png", "--output", "chart.png").said == ""
    assert (folder / "chart.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_without_the_extra_a_sentence_says_what_to_do(cli: Cli, charts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "FONT", Path("/nowhere.ttf"))
    ran = cli("chart", "runaway", "--png", "--output", "chart.png")
    assert ran.code == 2
    assert 'pip install "usage-watch[png]"' in ran.err


def test_a_terminal_gets_no_picture(charts: Path) -> None:
    code, seen = on_terminal("chart", "runaway", "--png", environ=dict(os.environ))
    assert code == 2
    assert "A picture is not for a terminal; write --output FILE, or --svg." in " ".join(seen.split())


def test_a_budget_with_weeks_behind_it_shows_how_it_will_end(cli: Cli, charts: Path) -> None:
    over = days(NOW - timedelta(days=60), NOW)
    used = {"priya.nair@example.com": 200 + 20 * (np.arange(len(over)) % 7)}
    store(charts.parent / "usage-watch.db", NOW, over, used, members=True)
    ran = cli("chart", "people", "--series", "priya.nair@example.com")
    assert "expected, 80 % of cases" in texts(ran.out)
    assert "Expected at the end:" in str(check(ran.out)[1].text)
