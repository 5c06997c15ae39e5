"""`alerts rebaseline` and `alerts expected`: through the command line, against a real database."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, RULES, on_terminal, process, scenario
from usage_watch.cli.entry import run
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.core.lessons import Expected, Rebased
from usage_watch.failpoints import VARIABLE
from usage_watch.simulator import DEFAULT_KEY, SimulatorServer
from usage_watch.store.answers import AnswerStore
from usage_watch.store.database import open_for_reading

ANOMALIES = (
    RULES.replace("backfill: 6d", "backfill: 8d")
    + """\
  - {{id: spikes, kind: zscore, method: plain, baseline: 3d, above: {{warning: 4, critical: 1_000_000}}}}
  - {{id: models, kind: zscore, method: plain, baseline: 3d, for_each: Model, resolve_after: 4h}}
  - {{id: days, kind: zscore, method: plain, baseline: 4d, bucket: 1d, resolve_after: 2d}}
"""
)
BEGAN = datetime(2026, 11, 21, 14, tzinfo=UTC)
"""With yesterday's job, of which the end is not settled when today's begins."""
MODEL = {"Model": "claude-opus-4-8"}


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database after one cycle; copied, never used."""
    folder = tmp_path_factory.mktemp("judged")
    clock = SteppedClock(folder / "clock")
    clock.step(NOW)
    with pytest.MonkeyPatch.context() as patch, SimulatorServer(scenario(), now=clock.now) as server:
        patch.setenv(STEPPED, str(folder / "clock"))
        patch.setenv("NO_PROXY", "*")
        patch.setenv("PERPLEXITY_ANALYTICS_API_KEY", DEFAULT_KEY)
        patch.chdir(folder)
        (folder / "rules.yaml").write_text(ANOMALIES.format(source=server.base_url))
        assert run(["run", "--once"]) == 0
    return folder / "usage-watch.db"


@pytest.fixture
def anomalous(rules: Path, judged: Path) -> Path:
    """The database beside its rules file: an anomaly of hours, of a model and of days is open."""
    rules.write_text(rules.read_text() + ANOMALIES[ANOMALIES.index("  - {{id: spikes") :].format())
    shutil.copy(judged, rules.parent)
    return rules.parent / "usage-watch.db"


def found(cli: Cli, rule: str) -> dict[str, Any]:
    """What is open of a rule, as data."""
    every: list[dict[str, Any]] = json.loads(cli("alerts", "--json").out)
    return next(each for each in every if each["rule"]["id"] == rule and each["open"])


def said(cli: Cli, *arguments: str, by: str = "ana") -> dict[str, str]:
    """What is answered when somebody says so."""
    ran = cli("alerts", *arguments, "--author", by)
    assert (ran.code, ran.err) == (0, "")
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in ran.out.splitlines())


def shown(cli: Cli, id: str, name: str) -> list[str]:
    """The values of a fact in `alerts show`."""
    return re.findall(rf"^{name} +(.*)$", cli("alerts", "show", id).out, re.M)


def line(cli: Cli, id: str) -> str:
    """Its line in the list."""
    return next(each for each in cli("alerts").out.splitlines() if each.startswith(id))


def expected_in(database: Path) -> Sequence[Expected]:
    with open_for_reading(database) as db:
        return AnswerStore(db).expected()


def rebased_in(database: Path) -> Sequence[Rebased]:
    with open_for_reading(database) as db:
        return AnswerStore(db).rebased()


def stored(database: Path, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()


def changed(database: Path, id: str, **columns: object) -> None:
    """As the incident would be stored, had it come otherwise."""
    with closing(sqlite3.connect(database)) as connection, connection:
        fields = ", ".join(f"{name} = ?" for name in columns)
        connection.execute(f"UPDATE incident SET {fields} WHERE id = ?", (*columns.values(), id))


# ---- rebaseline ------------------------------------------------------------------------------------------------------


def test_what_is_the_new_usual_is_said_and_stored(cli: Cli, anomalous: Path, clock: SteppedClock) -> None:
    models = found(cli, "models")
    assert said(cli, "rebaseline", models["id"], "--note", " a new job ") == {
        "New usual": f"models: claude-opus-4-8: {models['summary']}",
        "It means": "judged against what came since Sat 21 Nov 15:00 (Europe/Berlin), from the newest hour on; "
        "it ends once 4 h were usual by that; until Fri 27 Nov 01:00 too little of it is known, "
        "and none of it is judged",
        "Reminders": "none until it reaches a higher level or ends",
        "To take back": f"usage-watch alerts rebaseline {models['id']} --undo",
    }
    # What had come by then is what it was said of: the last hour and five minutes are still to come.
    assert rebased_in(anomalous) == [Rebased("models", MODEL, BEGAN, NOW - timedelta(minutes=65))]
    assert expected_in(anomalous) == []
    clock.step(NOW + timedelta(days=1))
    assert shown(cli, models["id"], "New usual") == [
        "judged against what came since Sat 21 Nov 15:00; said Sun 22 Nov 15:05 by ana: a new job"
    ]


def test_of_days_it_is_since_a_day(cli: Cli, anomalous: Path) -> None:
    days = found(cli, "days")
    meaning = said(cli, "rebaseline", days["id"])["It means"]
    assert meaning == (
        "judged against what came since Wed 18 Nov (Europe/Berlin), from the newest day on; "
        "it ends once 2 d were usual by that; until Mon 23 Nov 01:00 too little of it is known, "
        "and none of it is judged"
    )


@pytest.mark.parametrize("over", [{"ended_at": NOW.timestamp()}, {"history": 1, "looks_over": 1}])
def test_what_is_over_is_no_new_usual(cli: Cli, anomalous: Path, over: dict[str, object]) -> None:
    id = found(cli, "spikes")["id"]
    changed(anomalous, id, **over)
    ran = cli("alerts", "rebaseline", id, "--author", "ana")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"usage-watch: {id} is over, and with it what it was about is no new usual; to leave it out of what is "
        f"learned, say `usage-watch alerts expected {id}`.\n"
    )
    assert stored(anomalous, "answer") == []


# ---- expected --------------------------------------------------------------------------------------------------------


def test_what_was_expected_is_not_learned_from_as_long_as_it_goes_on(cli: Cli, anomalous: Path) -> None:
    spikes = found(cli, "spikes")
    assert said(cli, "expected", spikes["id"]) == {
        "Expected": f"spikes: {spikes['summary']}",
        "It means": "Sat 21 Nov 15:00 to its end is not learned from (times in Europe/Berlin); "
        f"where it stays so, say `usage-watch alerts rebaseline {spikes['id']}`",
        "Reminders": "none until it rises above warning or ends",
        "To take back": f"usage-watch alerts expected {spikes['id']} --undo",
    }
    assert expected_in(anomalous) == [Expected("spikes", {}, BEGAN, None)]
    # Where late data move the alert, what is not learned moves along; and it ends with it.
    end = NOW + timedelta(hours=3)
    changed(anomalous, spikes["id"], started_at=int((BEGAN - timedelta(hours=2)).timestamp()), ended_at=end.timestamp())
    assert expected_in(anomalous) == [Expected("spikes", {}, BEGAN - timedelta(hours=2), end)]
    assert shown(cli, spikes["id"], "Expected") == ["Sat 21 Nov 13:00 to 18:05 is not learned from; said 15:05 by ana"]


def test_what_is_over_can_still_be_left_out_and_nobody_is_reminded_anyway(cli: Cli, anomalous: Path) -> None:
    id = found(cli, "days")["id"]
    changed(anomalous, id, ended_at=NOW.replace(hour=0, minute=0).timestamp())
    told = said(cli, "expected", id)
    assert told["It means"] == "Wed 18 Nov to Sat 21 Nov is not learned from (times in Europe/Berlin)"
    assert "Reminders" not in told
    assert stored(anomalous, "ack") == []
    midnight = NOW.replace(hour=0, minute=0)
    assert expected_in(anomalous) == [Expected("days", {}, midnight - timedelta(days=4), midnight)]


@pytest.mark.parametrize(
    ("times", "begin", "end", "words"),
    [
        (("--from", "2026-11-21"), datetime(2026, 11, 20, 23, tzinfo=UTC), None, "Sat 21 Nov 00:00 to its end"),
        (
            ("--from", "2026-11-21T09:30", "--to", "2026-11-28T00:00Z"),
            datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
            datetime(2026, 11, 28, tzinfo=UTC),
            "Sat 21 Nov 09:30 to Sat 28 Nov 01:00",
        ),
        (("--to", "2026-11-22T13:00"), BEGAN, datetime(2026, 11, 22, 12, tzinfo=UTC), "Sat 21 Nov 15:00 to 13:00"),
    ],
)
def test_the_time_may_be_another_than_the_alerts(
    cli: Cli, anomalous: Path, times: tuple[str, ...], begin: datetime, end: datetime | None, words: str
) -> None:
    id = found(cli, "spikes")["id"]
    assert said(cli, "expected", id, *times)["It means"].startswith(f"{words} is not learned from (times in Europe/")
    assert expected_in(anomalous) == [Expected("spikes", {}, begin, end)]
    answer = found(cli, "spikes")["answer"]
    assert datetime.fromisoformat(answer["from"]) == begin
    assert (answer["until"] and datetime.fromisoformat(answer["until"])) == end


@pytest.mark.parametrize(
    ("rule", "times", "why"),
    [
        ("spikes", ("--from", "tomorrow"), "--from 'tomorrow' is no time; write 2026-11-23T18:00, or"),
        ("spikes", ("--to", "3026-11-22"), "--to '3026-11-22' is more than 100 years away; write 2026-"),
        ("spikes", ("--from", "2026-11-22T14:00", "--to", "2026-11-22T14:00"), "before it begins (14:00 to 14:00)"),
        ("spikes", ("--to", "2026-11-21T15:00"), "before it begins (Sat 21 Nov 15:00 to Sat 21 Nov 15:00); wr"),
        ("spikes", ("--from", "2026-11-22T13:40", "--to", "2026-11-22T14:20"), "not half of any hour lies in that"),
        ("days", ("--from", "2026-11-21T18:00", "--to", "2026-11-22T06:00"), "not half of any day of the source, whi"),
    ],
)
def test_a_time_in_which_nothing_lies_is_refused(
    cli: Cli, anomalous: Path, rule: str, times: tuple[str, ...], why: str
) -> None:
    ran = cli("alerts", "expected", found(cli, rule)["id"], *times, "--author", "ana")
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert stored(anomalous, "answer") == []


# ---- both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["rebaseline", "expected"])
def test_it_is_known_then_and_nobody_is_reminded(cli: Cli, anomalous: Path, clock: SteppedClock, word: str) -> None:
    id = found(cli, "spikes")["id"]
    said(cli, word, id[:12], "--note", "the big import", by="bo")
    spikes = found(cli, "spikes")
    assert spikes["ack"] == {"at": "2026-11-22T14:05:00Z", "author": "bo", "note": "the big import", "stands": True}
    assert spikes["answer"] == {
        "kind": word,
        "from": "2026-11-21T14:00:00Z",
        "until": None,
        "at": "2026-11-22T14:05:00Z",
        "author": "bo",
        "note": "the big import",
        "stands": True,
        "taken_back_at": None,
        "taken_back_by": None,
    }
    assert json.loads(cli("alerts", "show", id, "--json").out)["answer"] == spikes["answer"]
    assert line(cli, id).endswith({"rebaseline": "(new usual, said by bo)", "expected": "(expected, said by bo)"}[word])
    assert found(cli, "models")["answer"] is None
    # Who only knows of it is another matter.
    clock.step(NOW + timedelta(minutes=1))
    cli("alerts", "ack", id, "--author", "cy")
    assert line(cli, id).endswith(" said by bo; acknowledged by cy)")


@pytest.mark.parametrize("word", ["rebaseline", "expected"])
def test_said_twice_is_said_once_and_it_says_so(cli: Cli, anomalous: Path, clock: SteppedClock, word: str) -> None:
    id = found(cli, "spikes")["id"]
    said(cli, word, id, "--note", "import")
    before = stored(anomalous, "answer"), stored(anomalous, "ack")
    clock.step(NOW + timedelta(hours=1))
    again = said(cli, word, id, by="bo")
    assert again["Before"] == "it was said already, 15:05 by ana"
    assert (stored(anomalous, "answer"), stored(anomalous, "ack")) == before


@pytest.mark.parametrize("word", ["rebaseline", "expected"])
def test_said_again_of_what_has_risen_it_is_known_again(cli: Cli, anomalous: Path, word: str) -> None:
    id = found(cli, "spikes")["id"]
    said(cli, word, id)
    changed(anomalous, id, rank=3, severity="critical")
    assert found(cli, "spikes")["ack"]["stands"] is False
    assert said(cli, word, id)["Before"] == "it was said already, 15:05 by ana"
    assert found(cli, "spikes")["ack"]["stands"] is True
    assert len(stored(anomalous, "answer")) == 1


def test_the_latest_answer_stands_alone(cli: Cli, anomalous: Path, clock: SteppedClock) -> None:
    id = found(cli, "spikes")["id"]
    said(cli, "expected", id)
    clock.step(NOW + timedelta(hours=1))
    replaced = said(cli, "rebaseline", id, by="bo")["Before"]
    assert replaced == "this replaces expected: Sat 21 Nov 15:00 to its end is not learned from; said 15:05 by ana"
    assert (expected_in(anomalous), len(rebased_in(anomalous))) == ([], 1)
    assert found(cli, "spikes")["ack"]["author"] == "bo"
    clock.step(NOW + timedelta(hours=2))
    said(cli, "expected", id, "--to", "2026-11-23")
    assert (len(expected_in(anomalous)), rebased_in(anomalous)) == (1, [])
    said(cli, "expected", id, "--to", "2026-11-24", "--note", "a day more")
    [only] = expected_in(anomalous)
    assert only.until_at == datetime(2026, 11, 23, 23, tzinfo=UTC)
    assert len(stored(anomalous, "answer")) == 4, "nothing is deleted"


@pytest.mark.parametrize("word", ["rebaseline", "expected"])
def test_whoever_typed_the_wrong_id_takes_it_back(cli: Cli, anomalous: Path, clock: SteppedClock, word: str) -> None:
    spikes = found(cli, "spikes")
    id = spikes["id"]
    cli("alerts", "ack", id, "--author", "cy")
    said(cli, word, id)
    assert found(cli, "spikes")["ack"]["author"] == "ana"
    clock.step(NOW + timedelta(hours=1))
    name = {"rebaseline": "new usual", "expected": "expected"}[word]
    assert said(cli, word, id, "--undo", by="bo") == {
        "Taken back": f"{name}, of spikes: {spikes['summary']}",
        "It means": "what is usual is learned, and judged by, as if it had not been said",
    }
    assert (expected_in(anomalous), rebased_in(anomalous)) == ([], [])
    answer = found(cli, "spikes")["answer"]
    assert (answer["stands"], answer["taken_back_by"]) == (False, "bo")
    assert answer["taken_back_at"] == "2026-11-22T15:05:00Z"
    assert found(cli, "spikes")["ack"]["author"] == "cy", "who knew of it before knows of it still"
    assert shown(cli, id, name.capitalize()) == ["said 15:05 by ana; taken back 16:05 by bo"]
    assert "said by" not in line(cli, id)
    clock.step(NOW + timedelta(hours=2))
    assert said(cli, word, id, "--undo", by="cy")["Before"] == "it was taken back already, 16:05 by bo"
    assert len(stored(anomalous, "answer")) == 1
    # And it can be said anew.
    said(cli, word, id)
    assert found(cli, "spikes")["answer"]["stands"] is True


def test_what_is_taken_back_is_not_known_any_more(cli: Cli, anomalous: Path) -> None:
    id = found(cli, "spikes")["id"]
    said(cli, "expected", id)
    assert said(cli, "expected", id, "--undo")["Reminders"] == "as before: nobody has acknowledged it"
    assert found(cli, "spikes")["ack"] is None


@pytest.mark.parametrize(
    ("before", "undo", "why"),
    [
        ((), ("expected",), "nothing was said about what is usual of inc_"),
        (("rebaseline",), ("expected",), "is another thing; take it back with `usage-watch alerts rebaseline inc_"),
        (
            ("expected",),
            ("expected", "--to", "2026-11-30"),
            "takes back all that was said of the alert; leave out --to",
        ),
        (
            ("rebaseline",),
            ("rebaseline", "--note", "oh"),
            "takes back all that was said of the alert; leave out --note",
        ),
    ],
)
def test_only_what_was_said_is_taken_back(
    cli: Cli, anomalous: Path, before: tuple[str, ...], undo: tuple[str, ...], why: str
) -> None:
    id = found(cli, "spikes")["id"]
    for word in before:
        said(cli, word, id)
    as_it_was = stored(anomalous, "answer")
    ran = cli("alerts", undo[0], id, *undo[1:], "--undo", "--author", "ana")
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert stored(anomalous, "answer") == as_it_was


@pytest.mark.parametrize("word", ["rebaseline", "expected"])
@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        ("threshold", "silence it (`usage-watch silence add rule=runaway …`); or write another limit into its rule."),
        ("budget", "; or write another limit into its rule."),
        ("absence", "; or write a longer `quiet_for` into its rule."),
        ("novelty", "; or add what is new to its rule's `expected`."),
        ("meta", "silence it (`usage-watch silence add rule=runaway …`).\n"),
    ],
)
def test_what_knows_no_usual_cannot_be_answered_so(
    cli: Cli, anomalous: Path, word: str, kind: str, instead: str
) -> None:
    id = found(cli, "runaway")["id"]
    changed(anomalous, id, kind=kind)
    ran = cli("alerts", word, id, "--author", "ana")
    assert (ran.code, ran.out) == (2, "")
    assert f"usage-watch: {id} is no anomaly: to a rule of kind {kind} nothing is usual. Acknowledge it (`" in ran.err
    assert instead in ran.err
    assert "To answer" not in cli("alerts", "show", id).out
    assert stored(anomalous, "answer") == []


def test_a_rule_that_is_gone_learns_nothing_and_still_it_can_be_taken_back(
    cli: Cli, anomalous: Path, rules: Path
) -> None:
    spikes, models = found(cli, "spikes")["id"], found(cli, "models")["id"]
    said(cli, "expected", models)
    rules.write_text(re.sub(r".*id: (spikes|models).*\n", "", rules.read_text()))
    ran = cli("alerts", "expected", spikes, "--author", "ana")
    assert (ran.code, ran.out) == (2, "")
    assert "the rule spikes is not in the rules file any more, so that nothing is learned." in ran.err
    said(cli, "expected", models, "--undo")
    assert expected_in(anomalous) == []


@pytest.mark.parametrize("word", ["rebaseline", "expected"])
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("inc_nothing", "--author", "ana"), "There is no alert 'inc_nothing'"),
        (("", "--author", "ana"), "There is no alert ''"),
        (("inc_", "--author", "ana"), "is the beginning of"),
        (("inc_1", "--author", " "), "--author is empty"),
        (("inc_1", "--author", "ana", "--note", ""), "--note is empty"),
        (("inc_nothing", "--undo", "--author", "ana"), "There is no alert 'inc_nothing'"),
    ],
)
def test_what_cannot_be_said_is_refused(
    cli: Cli, anomalous: Path, word: str, arguments: tuple[str, ...], why: str
) -> None:
    ran = cli("alerts", word, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err


def test_how_to_answer_is_shown_where_nobody_has(cli: Cli, anomalous: Path) -> None:
    id = found(cli, "spikes")["id"]
    assert shown(cli, id, "To answer") == [f"usage-watch alerts expected {id}, or rebaseline: it is the new usual"]
    said(cli, "expected", id)
    assert shown(cli, id, "To answer") == []
    said(cli, "expected", id, "--undo")
    assert len(shown(cli, id, "To answer")) == 1


def test_what_is_answered_is_no_reason_to_worry(cli: Cli, anomalous: Path, rules: Path) -> None:
    for rule in ("spikes", "models", "days"):
        said(cli, "expected", found(cli, rule)["id"])
    for rule in ("runaway", "heavy-day", "cycle"):
        cli("alerts", "ack", found(cli, rule)["id"], "--author", "ana")
    assert cli("status", "--check").code == 0
    said(cli, "expected", found(cli, "models")["id"], "--undo")
    assert cli("status", "--check").code == 1


def test_80_columns_are_enough(cli: Cli, anomalous: Path) -> None:
    id = found(cli, "models")["id"]
    for arguments in (("expected", id, "--note", "word " * 30), ("rebaseline", id), ("show", id), ("list",)):
        author = ("--author", "ana") if arguments[0] in ("expected", "rebaseline") else ()
        code, seen = on_terminal("alerts", *arguments, *author)
        assert code == 0
        assert max(map(len, seen.splitlines())) <= 80


@pytest.mark.parametrize("word", ["rebaseline", "expected"])
@pytest.mark.parametrize("undone", [False, True], ids=["said", "taken back"])
@pytest.mark.parametrize("point", [1, 2], ids=["before the commit", "after it"])
def test_killed_it_is_whole_or_absent(
    cli: Cli, anomalous: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str, undone: bool, point: int
) -> None:
    id = found(cli, "spikes")["id"]
    if undone:
        said(cli, word, id)
    before = stored(anomalous, "answer"), stored(anomalous, "ack")
    monkeypatch.setenv(VARIABLE, f"{tmp_path / 'points'}@{point}")
    ran = process("alerts", word, id, "--author", "ana", *(["--undo"] if undone else []))
    monkeypatch.delenv(VARIABLE)
    assert (ran.code, ran.out) == (-signal.SIGKILL, "")
    spikes = found(cli, "spikes")
    if point == 1:
        assert (stored(anomalous, "answer"), stored(anomalous, "ack")) == before
    elif undone:
        assert (spikes["answer"]["stands"], spikes["ack"]) == (False, None)
    else:
        assert (spikes["answer"]["stands"], spikes["ack"]["stands"]) == (True, True)
    # Said again, all is as if nothing had been.
    said(cli, word, id, *(["--undo"] if undone else []))
    assert found(cli, "spikes")["answer"]["stands"] is not undone
    assert os.environ.get(VARIABLE) is None
