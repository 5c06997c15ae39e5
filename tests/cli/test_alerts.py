from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, RULES, on_terminal, scenario
from usage_watch.cli.entry import run
from usage_watch.clock import SteppedClock
from usage_watch.simulator import DEFAULT_KEY, Revision, Runaway, SimulatorServer
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import open_for_reading

HOUR = timedelta(hours=1)
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

INCIDENT = {
    "id",
    "rule",
    "labels",
    "part",
    "period",
    "severity",
    "open",
    "looks_over",
    "started_at",
    "ended_at",
    "closed",
    "retracted",
    "history",
    "dataset",
    "bucket",
    "unit",
    "value",
    "limit",
    "score",
    "judged_from",
    "judged_until",
    "summary",
    "facts",
    "why",
    "contributors",
    "after",
    "answer",
    "ack",
    "silence",
    "mute",
}
"""The names that programs may count on."""


def listed(cli: Cli, *options: str) -> list[dict[str, Any]]:
    found = json.loads(cli("alerts", "list", "--json", *options).out)
    assert isinstance(found, list)
    return found


def changed(watched: Path, id: str, **columns: object) -> None:
    """As the incident would be stored, had it come otherwise."""
    with closing(sqlite3.connect(watched.parent / "usage-watch.db")) as connection, connection:
        fields = ", ".join(f"{name} = ?" for name in columns)
        connection.execute(f"UPDATE incident SET {fields} WHERE id = ?", (*columns.values(), id))


def the(rule: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """What is open of a rule."""
    return next(each for each in found if each["rule"]["id"] == rule and each["open"])


def test_the_list_has_a_header_and_a_line_each(cli: Cli, watched: Path) -> None:
    lines = cli("alerts", "list").out.splitlines()
    assert lines[0].split() == ["id", "severity", "rule", "since", "until", "what"]
    assert [re.split(r"\s{2,}", line)[1:] for line in lines[1:4]] == [
        [
            "critical",
            "cycle",
            "Sat 21 Nov 15:00",
            "open",
            "30,800 of 20,000 credits spent (154 %), past the 100 % level",
        ],
        ["warning", "runaway", "Sat 21 Nov 15:00", "open", "18,000 credits in 3 h, over the warning limit of 2,000"],
        [
            "warning",
            "heavy-day",
            "Sat 21 Nov",
            "open",
            "ana@example.com: 8,000 credits in 1 d, over the warning limit of 5,000",
        ],
    ]


@pytest.mark.parametrize("options", [(), ("--json",), ("--since", "1d"), ("--history", "--json")])
def test_alerts_alone_is_the_list(cli: Cli, watched: Path, options: tuple[str, ...]) -> None:
    assert cli("alerts", *options) == cli("alerts", "list", *options)


def test_history_is_listed_where_asked_for_and_counted_else(cli: Cli, watched: Path) -> None:
    assert all(not each["history"] for each in listed(cli))
    past = [each for each in listed(cli, "--history") if each["history"]]
    assert [each["rule"]["id"] for each in past] == ["runaway"]
    assert "1 more with --history: over before their rule was first seen." in cli("alerts", "list").out
    out = cli("alerts", "list", "--history").out
    assert "told to nobody" in out
    assert "with --history" not in out


def test_only_what_ended_lately_is_listed(cli: Cli, watched: Path) -> None:
    week, day = listed(cli, "--history"), listed(cli, "--history", "--since", "2026-11-20")
    assert len(week) == len(day) + 1
    assert all(each["open"] or each["ended_at"] >= "2026-11-20" for each in day)


def test_an_empty_list_is_said_in_words(cli: Cli, watched: Path) -> None:
    database = watched.parent / "usage-watch.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in ("notification", "outbox", "decision", "incident"):
            connection.execute(f"DELETE FROM {table}")
    assert cli("alerts").out == "Nothing is open, and nothing has ended since Sun 15 Nov 15:05.\n"
    assert listed(cli) == []


def test_as_data_the_names_are_stable_and_times_are_rfc_3339(cli: Cli, watched: Path) -> None:
    found = listed(cli, "--history")
    for incident in found:
        assert incident.keys() == INCIDENT
        assert RFC3339.fullmatch(incident["started_at"])
        assert incident["open"] is (incident["ended_at"] is None and not incident["history"])
        assert incident["ended_at"] is None or RFC3339.fullmatch(incident["ended_at"])
    runaway = the("runaway", found)
    assert runaway["rule"] == {"id": "runaway", "kind": "threshold", "title": "runaway", "runbook": None}
    assert (runaway["value"], runaway["limit"], runaway["unit"]) == (18_000, 2_000, "credits")
    assert runaway["started_at"] == "2026-11-21T14:00:00Z"
    assert runaway["facts"][0] == {"name": "Limits", "value": "warning 2,000, critical 40,000"}
    assert the("heavy-day", found)["labels"] == {"member": "ana@example.com"}
    assert the("cycle", found)["period"] == "2026-11-13T23:00:00Z"


def test_one_is_explained(cli: Cli, watched: Path) -> None:
    runaway = the("runaway", listed(cli))
    out = cli("alerts", "show", runaway["id"]).out
    facts = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in out.split("\n\n")[0].splitlines())
    assert facts["Incident"] == runaway["id"]
    assert facts["What"] == "18,000 credits in 3 h, over the warning limit of 2,000"
    assert facts["Severity"] == "warning"
    assert (facts["Since"], facts["Until"]) == ("Sat 21 Nov 15:00", "open")
    assert facts["Judged"].startswith("credit_usage, 1")
    assert facts["Value"] == "18,000 credits, at its worst; limit 2,000"
    assert facts["Limits"] == "warning 2,000, critical 40,000"
    assert re.search(r"15:05 +screen +fired +yes +It is open at warning\.", out)
    assert re.search(r"screen +fired +sent +1 +15:05", out)


def test_a_member_and_a_title_are_named(cli: Cli, watched: Path) -> None:
    found = listed(cli)
    assert re.search(r"^member +ana@example.com$", cli("alerts", "show", the("heavy-day", found)["id"]).out, re.M)
    out = cli("alerts", "show", the("cycle", found)["id"]).out
    assert re.search(r"^Rule +cycle \(budget\): Credits of this cycle$", out, re.M)
    assert re.search(
        r"^Judged +credit_usage, Sat 14 Nov 00:00 – Sun 22 Nov 1\d:00 \(times in Europe/Berlin\)$", out, re.M
    )


def test_a_title_is_filled_in_wherever_it_is_shown(cli: Cli, watched: Path) -> None:
    id = the("cycle", listed(cli))["id"]
    changed(watched, id, title="$value of $limit")
    assert the("cycle", listed(cli))["rule"]["title"] == "30,800 of 20,000"
    assert json.loads(cli("alerts", "show", id, "--json").out)["rule"]["title"] == "30,800 of 20,000"
    assert the("cycle", json.loads(cli("status", "--json").out)["open"])["rule"]["title"] == "30,800 of 20,000"
    assert re.search(r"^Rule +cycle \(budget\): 30,800 of 20,000$", cli("alerts", "show", id).out, re.M)


def test_with_a_price_amounts_stand_beside_credits(cli: Cli, watched: Path) -> None:
    before = the("cycle", listed(cli))
    watched.write_text("price: {per_1000: 10, currency: USD}\n" + watched.read_text())
    found = the("cycle", listed(cli))
    said = "30,800 of 20,000 credits spent (308 USD, 154 %), past the 100 % level"
    assert found["summary"] == said
    assert found["facts"] == [*before["facts"], {"name": "At list price", "value": "308 USD; level 200 USD"}]
    assert {**found, "summary": "", "facts": []} == {**before, "summary": "", "facts": []}
    assert said in cli("alerts").out
    out = cli("alerts", "show", found["id"]).out
    assert re.search(r"^At list price +308 USD; level 200 USD$", out, re.M)
    assert said in cli("status").out
    assert said in cli("backtest", "--since", "6d").out
    assert said in cli("alerts", "ack", found["id"]).out


def test_days_are_the_sources_and_said_so(cli: Cli, watched: Path) -> None:
    out = cli("alerts", "show", the("heavy-day", listed(cli))["id"]).out
    assert re.search(r"^Judged +credit_usage, Sat 21 Nov \(times in UTC\)$", out, re.M)


def test_history_was_told_to_nobody(cli: Cli, watched: Path) -> None:
    past = next(each for each in listed(cli, "--history") if each["history"])
    out = cli("alerts", "show", past["id"]).out
    assert "it had ended before its rule was first seen, and was told to nobody" in out
    assert "Deliveries\nNone: nobody is told of it." in out


def test_what_looked_over_when_its_rule_was_first_seen_is_history_and_not_open(cli: Cli, watched: Path) -> None:
    cycle = the("cycle", listed(cli))
    changed(watched, cycle["id"], history=1, looks_over=1)
    assert cycle["id"] not in {each["id"] for each in listed(cli)}
    found = listed(cli, "--history")
    assert [each["open"] for each in found] == [True, True, False, False]
    [settling] = [each for each in found if each["id"] == cycle["id"]]
    assert (settling["open"], settling["looks_over"], settling["ended_at"]) == (False, True, None)
    row = next(line for line in cli("alerts", "list", "--history").out.splitlines() if line.startswith(cycle["id"]))
    assert re.split(r"\s{2,}", row)[4] == "settling"
    assert row.endswith(" (looks over, waiting for data to settle; told to nobody)")
    out = cli("alerts", "show", cycle["id"]).out
    assert re.search(r"^Until +settling$", out, re.M)
    assert re.search(r"^History +it looked over when its rule was first seen, and was told to nobody", out, re.M)


def test_what_looks_over_is_open_until_its_data_is_settled(cli: Cli, watched: Path) -> None:
    runaway = the("runaway", listed(cli))
    changed(watched, runaway["id"], looks_over=1)
    assert the("runaway", listed(cli))["looks_over"] is True
    row = next(line for line in cli("alerts").out.splitlines() if line.startswith(runaway["id"]))
    assert row.endswith(" (looks clear, waiting for data to settle)")
    out = cli("alerts", "show", runaway["id"]).out
    assert re.search(r"^Until +open\nNow +looks clear, waiting for data to settle$", out, re.M)
    assert "looks clear, waiting for data to settle" in cli("status").out
    assert cli("status", "--check").code == 1


def test_what_was_taken_back_says_so(cli: Cli, watched: Path) -> None:
    runaway = the("runaway", listed(cli))
    note = "The source revised it: 18,000 credits turned out to be 1,900 credits."
    changed(watched, runaway["id"], retracted=1, closed=note, ended_at=NOW.timestamp())
    back = next(each for each in listed(cli) if each["id"] == runaway["id"])
    assert (back["open"], back["retracted"], back["closed"]) == (False, True, note)
    row = next(line for line in cli("alerts").out.splitlines() if line.startswith(runaway["id"]))
    assert row.endswith(" (taken back, the source revised it: 18,000 credits turned out to be 1,900 credits)")
    assert re.search(rf"^Taken back +{re.escape(note)}$", cli("alerts", "show", runaway["id"]).out, re.M)


def test_what_was_closed_says_why(cli: Cli, watched: Path) -> None:
    incident = the("runaway", listed(cli))
    watched.write_text(re.sub(r".*id: runaway.*\n", "", watched.read_text()))
    assert cli("run", "--once").code == 0
    out = cli("alerts", "show", incident["id"]).out
    assert re.search(r"^Closed +\S", out, re.M)
    assert re.search(r"^Until +15:05$", out, re.M)
    closed = next(each for each in listed(cli) if each["id"] == incident["id"])
    assert closed["closed"] in out
    assert closed["closed"].rstrip(".") in cli("alerts", "list").out


def test_it_is_shown_who_and_what_it_comes_from(cli: Cli, watched: Path) -> None:
    out = cli("alerts", "show", the("runaway", listed(cli))["id"]).out
    why = r"^Why +\+18,000 credits, none in the 4 weeks before: 100 % claude-opus-4-8$"
    assert re.search(why, out, re.MULTILINE)
    assert "\nAgainst the 4 weeks before, 11:00–14:00\n" in out
    assert re.search(r"^Model +used +usual +change +of the rise$", out, re.MULTILINE)
    assert re.search(r"^claude-opus-4-8 +18,000 +0 +\+18,000 +100 %$", out, re.MULTILINE)
    assert "By Model" not in out


def test_what_a_rule_that_is_gone_said_is_still_shown(cli: Cli, watched: Path) -> None:
    id = the("runaway", listed(cli))["id"]
    watched.write_text(watched.read_text().replace("id: runaway", "id: other"))
    out = cli("alerts", "show", id).out
    assert "Against the 4 weeks before" not in out
    assert re.search(r"^Why +\+18,000 credits", out, re.MULTILINE)
    assert re.search(r"^By Model +claude-opus-4-8 \+18,000 \(100 %\)$", out, re.MULTILINE)
    assert json.loads(cli("alerts", "show", id, "--json").out)["compared"] is None


@pytest.fixture
def taken_back(folder: Path, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """By rule, the ids of alerts that rested on two hours, which the source revised once they were told."""
    at = NOW.replace(minute=0) - timedelta(hours=3)
    job = Runaway("priya.nair@example.com", "claude-opus-4-8", at, 2, 9_000)
    revised = Revision(at, NOW + timedelta(minutes=30), 0.1), Revision(at + HOUR, NOW + timedelta(minutes=30), 0.05)
    story = replace(scenario(), runaways=(job,), revisions=revised)
    monkeypatch.setenv("PERPLEXITY_ANALYTICS_API_KEY", DEFAULT_KEY)
    with SimulatorServer(story, now=clock.now) as source:
        (folder / "rules.yaml").write_text(RULES.format(source=source.base_url))
        for _ in range(2):
            assert run(["run", "--once"]) == 0
            clock.step(clock.now() + HOUR)
        with open_for_reading(folder / "usage-watch.db") as database:
            return {each.rule.id: each.id for each in AlertStore(database).incidents(NOW - HOUR) if each.retracted}


@pytest.mark.parametrize("rule", ["runaway", "cycle"])
def test_what_was_taken_back_is_shown_with_the_numbers_that_were_and_are(
    cli: Cli, taken_back: dict[str, str], rule: str
) -> None:
    out = cli("alerts", "show", taken_back[rule]).out
    assert re.search("^Taken back +The source revised it: 18,000 credits turned out to be", out, re.M)
    assert (
        """
How its numbers came
12:00–13:00  revised from 9,000 to 900 credits on Sun 22 Nov 16:05
13:00–14:00  revised from 9,000 to 450 credits on Sun 22 Nov 16:05
"""
        in out
    )
    found = json.loads(cli("alerts", "show", taken_back[rule], "--json").out)["arrivals"]
    assert (found["late"], found["more"]) == ([], 0)
    assert found["changed"][0] == {
        "from": "2026-11-22T11:00:00Z",
        "until": "2026-11-22T12:00:00Z",
        "at": "2026-11-22T15:05:00Z",
        "before": 9_000,
        "after": 900,
        "was_final": False,
    }


def test_explained_as_data(cli: Cli, watched: Path) -> None:
    runaway = the("runaway", listed(cli))
    found = json.loads(cli("alerts", "show", runaway["id"], "--json").out)
    assert found.keys() == INCIDENT | {"arrivals", "compared", "decisions", "deliveries"}
    assert found["arrivals"] == {"late": [], "changed": [], "more": 0}
    compared = found["compared"]
    assert (compared["from"], compared["until"]) == (found["judged_from"], found["judged_until"])
    [models] = [each["rows"] for each in compared["axes"] if each["axis"] == "Model"]
    assert (models[0]["category"], models[0]["used"]) == ("claude-opus-4-8", 18_000)
    assert models[0]["change"] == models[0]["used"] - models[0]["usual"] == 18_000
    assert (models[0]["share"], models[0]["newness"]) == (1, None)
    assert found["decisions"] == [
        {
            "at": "2026-11-22T14:05:00Z",
            "channel": "screen",
            "reason": "fired",
            "told": True,
            "why": "It is open at warning.",
        }
    ]
    [delivery] = found["deliveries"]
    assert re.fullmatch("ntf_[0-9a-f]+", delivery.pop("id"))
    assert delivery == {
        "channel": "screen",
        "reason": "fired",
        "state": "sent",
        "attempts": 1,
        "created_at": "2026-11-22T14:05:00Z",
        "attempted_at": "2026-11-22T14:05:00Z",
        "next_attempt_at": None,
        "sent_at": "2026-11-22T14:05:00Z",
        "last_error": None,
    }


def test_a_beginning_is_enough_where_only_one_has_it(cli: Cli, watched: Path) -> None:
    whole = the("runaway", listed(cli))["id"]
    assert cli("alerts", "show", whole[:12]).out == cli("alerts", "show", whole).out
    assert cli("alerts", "show", whole.removeprefix("inc_")[:8]).out == cli("alerts", "show", whole).out


def test_a_beginning_of_several_asks_for_more_of_it(cli: Cli, watched: Path) -> None:
    ran = cli("alerts", "show", "inc_")
    assert (ran.code, ran.out) == (2, "")
    assert re.fullmatch(
        r"usage-watch: 'inc_' is the beginning of 4 alerts; write more of it: (inc_\w+, ){3}…\.\n", ran.err
    )


@pytest.mark.parametrize("id", ["inc_nothing", "%", ""])
def test_an_unknown_id_is_said_to_be_one(cli: Cli, watched: Path, id: str) -> None:
    ran = cli("alerts", "show", id)
    assert (ran.code, ran.out) == (2, "")
    assert f"There is no alert {id!r}; `usage-watch alerts list" in ran.err


def acked(cli: Cli, id: str, *options: str) -> dict[str, str]:
    """What is said of it."""
    ran = cli("alerts", "ack", id, *options)
    assert (ran.code, ran.err) == (0, "")
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in ran.out.splitlines())


def test_somebody_who_knows_says_so(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    found = listed(cli)
    runaway = the("runaway", found)["id"]
    assert acked(cli, runaway[:12], "--note", " the nightly job ", "--author", "Ana") == {
        "Acknowledged": "runaway: 18,000 credits in 3 h, over the warning limit of 2,000",
        "It means": "no reminders until it rises above warning or ends",
    }
    clock.step(NOW + timedelta(hours=1))
    out = cli("alerts", "show", runaway).out
    assert re.search(r"^Acknowledged +15:05 by Ana: the nightly job$", out, re.M)
    [row] = [line for line in cli("alerts").out.splitlines() if "acknowledged" in line]
    assert row.startswith(runaway)
    assert row.endswith("(acknowledged by Ana)")
    assert the("cycle", listed(cli))["ack"] is None
    ack = {"at": "2026-11-22T14:05:00Z", "author": "Ana", "note": "the nightly job", "stands": True}
    assert the("runaway", listed(cli))["ack"] == ack
    assert json.loads(cli("alerts", "show", runaway, "--json").out)["ack"] == ack


def test_to_know_it_twice_is_fine_and_the_latest_counts(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    id = the("heavy-day", listed(cli))["id"]
    acked(cli, id, "--author", "Ana", "--note", "mine")
    clock.step(NOW + timedelta(hours=1))
    said = acked(cli, id.removeprefix("inc_"), "--author", "Bo")
    assert said["Before"] == "it was acknowledged already, 15:05 by Ana"
    assert said["It means"] == "no reminders until it rises above warning or ends"
    assert the("heavy-day", listed(cli))["ack"] == {
        "at": "2026-11-22T15:05:00Z",
        "author": "Bo",
        "note": None,
        "stands": True,
    }


def test_what_is_critical_can_hardly_rise(cli: Cli, watched: Path) -> None:
    said = acked(cli, the("cycle", listed(cli))["id"], "--author", "Ana")
    assert said["It means"] == "no reminders until it reaches a higher level or ends"


def test_nobody_knows_yet_what_rose_since(cli: Cli, watched: Path) -> None:
    id = the("runaway", listed(cli))["id"]
    acked(cli, id, "--author", "Ana")
    changed(watched, id, rank=3, severity="critical")
    assert "acknowledged" not in cli("alerts").out
    assert the("runaway", listed(cli))["ack"]["stands"] is False
    assert "15:05 by Ana; that was before it rose, ended or came again" in cli("alerts", "show", id).out
    assert "Before" not in acked(cli, id, "--author", "Bo")
    assert the("runaway", listed(cli))["ack"]["stands"] is True


def test_nobody_knows_yet_what_came_again_since_its_end_was_told(cli: Cli, watched: Path) -> None:
    id = the("runaway", listed(cli))["id"]
    acked(cli, id, "--author", "Ana")
    with closing(sqlite3.connect(watched.parent / "usage-watch.db")) as connection, connection:
        terms = {"incident": id, "at": (NOW + timedelta(hours=1)).timestamp()}
        connection.execute(
            "INSERT INTO notification SELECT incident_id, target, 'resolved', 1, rank, face, :at, outbox_id "
            "FROM notification WHERE incident_id = :incident",
            terms,
        )
    assert the("runaway", listed(cli))["ack"]["stands"] is False


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"ended_at": NOW.timestamp()}, "is over since 15:05, and nobody is reminded of it."),
        ({"history": 1, "looks_over": 1}, "was over when its rule was first seen, and nobody is told of it."),
        ({"history": 1, "ended_at": NOW.timestamp()}, "was over when its rule was first seen"),
    ],
)
def test_what_is_over_cannot_be_acknowledged(cli: Cli, watched: Path, columns: dict[str, object], why: str) -> None:
    id = the("runaway", listed(cli))["id"]
    changed(watched, id, **columns)
    ran = cli("alerts", "ack", id, "--author", "Ana")
    assert (ran.code, ran.out) == (2, "")
    assert f"usage-watch: {id} {why}" in ran.err
    assert json.loads(cli("alerts", "show", id, "--json").out)["ack"] is None


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("inc_nothing", "--author", "Ana"), "There is no alert 'inc_nothing'"),
        (("inc_", "--author", "Ana"), "is the beginning of 4 alerts"),
        (("", "--author", "Ana"), "There is no alert ''"),
        (("inc_", "--author", " "), "--author is empty"),
        (("inc_", "--author", "Ana", "--note", ""), "--note is empty"),
    ],
)
def test_what_nobody_can_know_is_refused(cli: Cli, watched: Path, arguments: tuple[str, ...], why: str) -> None:
    ran = cli("alerts", "ack", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err


@pytest.mark.parametrize("command", ["show", "ack"])
def test_nothing_is_the_beginning_of_none_even_where_there_is_only_one(cli: Cli, watched: Path, command: str) -> None:
    one = the("runaway", listed(cli))["id"]
    with closing(sqlite3.connect(watched.parent / "usage-watch.db")) as connection, connection:
        for table in ("notification", "decision"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("DELETE FROM incident WHERE id <> ?", (one,))
    ran = cli("alerts", command, "")
    assert (ran.code, ran.out) == (2, "")


def test_an_acknowledgement_needs_a_database_and_no_key(
    cli: Cli, rules: Path, fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERPLEXITY_ANALYTICS_API_KEY")
    ran = cli("alerts", "ack", "inc_1", "--author", "Ana")
    assert (ran.code, ran.out) == (5, "")
    assert list(rules.parent.iterdir()) == [rules]
    shutil.copy(fetched, rules.parent)
    acked(cli, the("runaway", listed(cli))["id"], "--author", "Ana")


def test_which_silence_holds_it_back_is_said(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    for hours, who in (("1h", "Ana"), ("3h", "Bo")):
        cli("silence", "add", "rule=runaway", "--for", hours, "--reason", "load test", "--author", who)
    runaway = the("runaway", listed(cli))
    assert {**runaway["silence"], "id": ""} == {
        "id": "",
        "until": "2026-11-22T17:05:00Z",
        "author": "Bo",
        "reason": "load test",
    }
    assert the("cycle", listed(cli))["silence"] is None
    row = next(line for line in cli("alerts").out.splitlines() if line.startswith(runaway["id"]))
    assert row.endswith("(silenced until 18:05 by Bo)")
    out = cli("alerts", "show", runaway["id"]).out
    assert re.search(rf"^Silenced +until 18:05 by Bo \({runaway['silence']['id']}\): load test$", out, re.M)
    clock.step(NOW + timedelta(hours=3))
    assert "ilenced" not in cli("alerts").out


def test_what_came_from_outside_obeys_nobody_else(cli: Cli, watched: Path) -> None:
    incident = the("heavy-day", listed(cli))
    with closing(sqlite3.connect(watched.parent / "usage-watch.db")) as connection, connection:
        labels = json.dumps({"member": "\x1b[2J\x9b31mana\u202e@example.com\r\nInjected: line"})
        connection.execute("UPDATE incident SET labels = ? WHERE id = ?", (labels, incident["id"]))
    for arguments in (("alerts",), ("alerts", "show", incident["id"]), ("alerts", "--json"), ("status",)):
        out = cli(*arguments).out
        assert "ana" in out
        assert not set(out) & set("\x1b\x9b\u202e\r")


def test_80_columns_are_enough(watched: Path) -> None:
    code, seen = on_terminal("alerts", "list", "--history")
    assert code == 0
    assert max(map(len, seen.splitlines())) <= 80
    # Nothing is cut: what a row is about has lines of its own.
    assert "…" not in seen
    code, seen = on_terminal("alerts", "show", seen.splitlines()[2].split()[0])
    assert code == 0
    assert max(map(len, seen.splitlines())) <= 80


@pytest.mark.parametrize("option", [("--since", "yesterday"), ("--since", "")])
def test_a_time_that_is_none_is_refused(cli: Cli, watched: Path, option: tuple[str, ...]) -> None:
    ran = cli("alerts", "list", *option)
    assert (ran.code, ran.out) == (2, "")
    assert "is no time; write" in ran.err
