from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, Ran, on_terminal, program
from usage_watch.clock import SteppedClock
from usage_watch.store.database import open_for_reading
from usage_watch.store.silences import SilenceStore

SPLIT = """\
  - {id: by-model, kind: threshold, for_each: Model, above: 900_000}
  - {id: paid, kind: threshold, where: {credit_source: paid}, above: {critical: 900_000}, enabled: no}
"""


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks, where nobody says otherwise."""
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("LOGNAME", "ana")


def add(cli: Cli, *arguments: str) -> Ran:
    """A silence of two hours."""
    return cli("silence", "add", *arguments, "--for", "2h", "--reason", "load test")


def added(cli: Cli, *arguments: str) -> str:
    """Its id."""
    ran = add(cli, *arguments)
    assert ran.code == 0, ran.err
    return facts(ran)["Silence"]


def facts(ran: Ran) -> dict[str, str]:
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in ran.out.splitlines())


def listed(cli: Cli, *options: str) -> list[dict[str, Any]]:
    found = json.loads(cli("silence", "list", "--json", *options).out)
    assert isinstance(found, list)
    return found


def stored(rules: Path) -> list[Any]:
    with open_for_reading(rules.parent / "usage-watch.db") as database:
        return SilenceStore(database).all(NOW - timedelta(days=1000))


# What is said of a new one


def test_a_new_silence_says_what_it_is_about_and_what_it_holds_back(cli: Cli, watched: Path) -> None:
    ran = add(cli, "rule=runaway", "severity=~warning|critical")
    assert (ran.code, ran.err) == (0, "")
    said = facts(ran)
    id = said["Silence"]
    assert re.fullmatch("sil_[0-9a-f]{12}", id)
    assert said == {
        "Silence": id,
        "About": "rule=runaway severity=~warning|critical",
        "From": "15:05",
        "Until": "17:05 (times in Europe/Berlin)",
        "Why": "load test (ana)",
        "Matches now": "1 alert: runaway",
        "To end it": f"usage-watch silence expire {id}",
    }


def test_no_two_silences_have_one_id(cli: Cli, watched: Path) -> None:
    assert len({added(cli, "rule=runaway") for _ in range(5)}) == 5


def test_the_gravest_that_match_are_named_first_with_their_series(cli: Cli, watched: Path) -> None:
    assert facts(add(cli, "rule=~.*"))["Matches now"] == "3 alerts: cycle, runaway, heavy-day (ana@example.com)"


def test_where_many_match_five_are_named(cli: Cli, rules: Path) -> None:
    more = "".join(f"  - {{id: r{n}, kind: threshold, window: 3h, above: 100}}\n" for n in range(9))
    rules.write_text(rules.read_text() + more)
    assert cli("run", "--once").code == 0
    assert re.fullmatch(r"9 alerts: (r\d, ){4}r\d and 4 more", facts(add(cli, "rule=~r\\d"))["Matches now"])


def test_where_nothing_is_open_it_says_so(cli: Cli, watched: Path) -> None:
    assert facts(add(cli, "rule=meta:stale_frontier"))["Matches now"] == "no open alert"


def test_history_is_not_open(cli: Cli, watched: Path) -> None:
    with closing(sqlite3.connect(watched.parent / "usage-watch.db")) as connection, connection:
        connection.execute("UPDATE incident SET history = 1 WHERE rule_id = 'runaway'")
    assert facts(add(cli, "rule=runaway"))["Matches now"] == "no open alert"


def test_as_data(cli: Cli, watched: Path) -> None:
    found = json.loads(add(cli, "member=~.*@example\\.com", "--author", "Bo", "--json").out)
    [member] = [each for each in json.loads(cli("alerts", "--json").out) if each["labels"]]
    assert re.fullmatch("sil_[0-9a-f]{12}", found.pop("id"))
    assert found == {
        "state": "in force",
        "matchers": [{"name": "member", "operator": "=~", "value": ".*@example\\.com"}],
        "from": "2026-11-22T14:05:00Z",
        "until": "2026-11-22T16:05:00Z",
        "author": "Bo",
        "reason": "load test",
        "created_at": "2026-11-22T14:05:00Z",
        "expired_at": None,
        "matches": [member["id"]],
    }


def test_neither_a_key_nor_a_secret_is_needed(cli: Cli, watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERPLEXITY_ANALYTICS_API_KEY")
    pager = "channels:\n  p: {kind: webhook, url: https://hooks.example.com/x, signing_secret: {env: HOOK_SECRET}}\n"
    watched.write_text(watched.read_text().replace("channels:\n", pager).replace("[screen]", "[p]"))
    id = added(cli, "rule=runaway")
    assert [cli("silence", "list").code, cli("silence", "expire", id).code] == [0, 0]


@pytest.mark.parametrize(
    "arguments", [("add", "rule=runaway", "--for", "1h", "--reason", "x"), ("list",), ("expire", "x")]
)
def test_without_a_database_it_says_so_and_makes_none(cli: Cli, rules: Path, arguments: tuple[str, ...]) -> None:
    ran = cli("silence", *arguments)
    assert (ran.code, ran.out) == (5, "")
    assert "there is no database at" in ran.err
    assert list(rules.parent.iterdir()) == [rules]


def test_a_database_of_an_older_version_is_left_alone(cli: Cli, watched: Path) -> None:
    database = watched.parent / "usage-watch.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA user_version = 1")
    before = database.read_bytes()
    ran = add(cli, "rule=runaway")
    assert (ran.code, ran.out) == (5, "")
    assert "is of an older usage-watch; start `usage-watch run` once" in ran.err
    assert database.read_bytes() == before


# When


@pytest.mark.parametrize(
    ("options", "span"),
    [
        (("--for", "90m"), ("15:05", "16:35")),
        (("--until", "2026-11-22T15:06"), ("15:05", "15:06")),
        (("--until", "2026-11-22T15:06Z"), ("15:05", "16:06")),
        (("--until", "2026-11-24"), ("15:05", "Tue 24 Nov 00:00")),
        (("--from", "2026-11-23T18:00", "--for", "1h30m"), ("Mon 23 Nov 18:00", "Mon 23 Nov 19:30")),
        (("--from", "2026-11-23T18:00+02:00", "--until", "2026-11-24"), ("Mon 23 Nov 17:00", "Tue 24 Nov 00:00")),
        (("--from", "2026-11-22T14:00", "--for", "2h"), ("14:00", "16:00")),
    ],
)
def test_times_are_of_the_files_zone(cli: Cli, watched: Path, options: tuple[str, ...], span: tuple[str, str]) -> None:
    said = facts(cli("silence", "add", "rule=runaway", "--reason", "x", *options))
    assert (said["From"], said["Until"].removesuffix(" (times in Europe/Berlin)")) == span


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "a silence ends: write either --for 2h or --until 2026-11-23T18:00."),
        (("--for", "1h", "--until", "2027-01-01"), "write either --for 2h or --until"),
        (("--for", "0s"), "would be over already; write an end that is still to come."),
        (("--for", "tomorrow"), "--for 'tomorrow' is no duration; write a duration such as 15m, 2h, 7d or 1h30m."),
        (("--for", ""), "--for '' is no duration"),
        (("--for", "101y"), "at most 100y"),
        (("--until", "2026-11-22T15:05"), "would be over already"),
        (("--from", "2026-11-20", "--for", "1h"), "would be over already"),
        (("--from", "2026-11-24", "--until", "2026-11-23"), "would end before it begins; write a later end."),
        (("--from", "2026-11-24", "--until", "2026-11-24"), "would end before it begins"),
        (("--until", "2h"), "--until '2h' is no time; write 2026-11-23T18:00, or 2026-11-23T18:00Z."),
        (("--from", "soon", "--for", "1h"), "--from 'soon' is no time"),
        (("--until", "9999-12-31T23:59"), "--until '9999-12-31T23:59' is more than 100 years away"),
        (("--from", "0001-01-01", "--until", "2027-01-01"), "--from '0001-01-01' is "),
    ],
)
def test_an_end_is_required_and_still_to_come(cli: Cli, watched: Path, options: tuple[str, ...], why: str) -> None:
    ran = cli("silence", "add", "rule=runaway", "--reason", "x", *options)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert ran.err.count("\n") == 1
    assert stored(watched) == []


def test_the_hour_that_comes_twice_is_named(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    ran = cli("silence", "add", "rule=runaway", "--reason", "x", "--until", "2027-10-31T02:30")
    assert facts(ran)["Until"].startswith("Sun 31 Oct 2027 02:30 CEST")


# Why, and who says so


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("rule=runaway", "--for", "1h"), "Missing option '--reason'"),
        (("rule=runaway", "--for", "1h", "--reason", " \t"), "--reason is empty; say it in a few words."),
        (("rule=runaway", "--for", "1h", "--reason", "x" * 1001), "--reason is too long"),
        (("rule=runaway", "--for", "1h", "--reason", "\udcff"), "--reason is no text in UTF-8"),
        (("rule=runaway", "--for", "1h", "--reason", "x", "--author", ""), "--author is empty"),
        (("rule=runaway\udcff", "--for", "1h", "--reason", "x"), "a matcher is no text in UTF-8"),
        (("--for", "1h", "--reason", "x"), "Missing argument 'MATCHERS'"),
    ],
)
def test_a_reason_and_an_author_are_required(cli: Cli, watched: Path, arguments: tuple[str, ...], why: str) -> None:
    ran = cli("silence", "add", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert stored(watched) == []


def test_the_author_is_whoever_logged_in(cli: Cli, watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "usage-watch")
    assert facts(add(cli, "rule=runaway"))["Why"] == "load test (usage-watch)"
    monkeypatch.setenv("SUDO_USER", "priya")
    assert facts(add(cli, "rule=runaway"))["Why"] == "load test (priya)"
    assert facts(add(cli, "rule=runaway", "--author", " Bo "))["Why"] == "load test (Bo)"


def test_where_nobody_is_logged_in_the_author_is_asked_for(
    cli: Cli, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", " ")
    ran = add(cli, "rule=runaway")
    assert (ran.code, ran.err) == (2, "usage-watch: it is not known who you are: say it with --author NAME.\n")


# Whether it can silence anything


@pytest.mark.parametrize(
    ("matchers", "sentence"),
    [
        (["rule=runawy"], "rule=runawy: there is no such rule in the rules file; did you mean runaway?"),
        (["rule!=runawy"], "rule!=runawy: there is no such rule in the rules file; did you mean runaway?"),
        (["rule=xyz"], "there is by-model, cycle, heavy-day, paid and runaway."),
        (["rule=~nightly-.*"], "there is no such rule in the rules file; there is by-model, cycle"),
        (["rule!~nightly-.*"], "there is no such rule in the rules file; there is by-model, cycle"),
        (["rule="], "there is no such rule"),
        (["rule=meta:stale_frontir"], "did you mean meta:stale_frontier?"),
        (["kind=budgt"], "kind=budgt: there is no such kind in the rules file; did you mean budget?"),
        (["kind=absence"], "there is no such kind in the rules file; there is budget, meta and threshold."),
        (["severity=warn"], "did you mean warning?"),
        (["part=level"], "did you mean levels?"),
        (["dataset=credits"], "did you mean credit_usage?"),
        (["dataset=query_volume"], "there is no such dataset in the rules file; there is credit_usage."),
        (["Modle=x"], "Modle=x: no alert of these rules has a Modle; did you mean Model?"),
        (["xyz=x"], "there is rule, kind, part, severity, dataset, Model and member."),
        (["Channel=screen"], "no alert of these rules has a Channel"),
        (["Credit Source=paid"], "narrows by it has one alert for all of that; name the rule, such as rule=paid."),
        (["rule=runaway", "Model=x"], "Model=x: no alert of runaway could match that, so nothing would be silenced;"),
        (["rule=paid", "severity=warning"], "severity=warning: no alert of paid could match that"),
        (["rule=heavy-day", "part=levels"], "part=levels: no alert of heavy-day could match that"),
        (["kind=meta", "Model=x"], "no alert of meta:"),
        (["rule=cycle", "member=x", "Model=y"], "no alert could match all of these matchers together"),
        (["runaway"], "'runaway' is no matcher: write a name, one of = != =~ !~ and a value"),
        (["rule=runaway", "Model=~claude-("], "'claude-(' is no regular expression"),
        (["\x1b[2Jrule=x"], "no alert of these rules has a [2Jrule"),
    ],
)  # fmt: skip
def test_what_could_never_match_is_refused(cli: Cli, watched: Path, matchers: list[str], sentence: str) -> None:
    watched.write_text(watched.read_text() + SPLIT)
    ran = add(cli, *matchers)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err
    assert ran.err.count("\n") == 1
    assert "\x1b" not in ran.err
    assert stored(watched) == []


@pytest.mark.parametrize(
    ("matchers", "written"),
    [
        (["rule=~.*"], "rule=~.*"),
        (["rule=paid"], "rule=paid"),
        (["RULE=runaway"], "rule=runaway"),
        (["Kind = meta"], "kind=meta"),
        (["rule=meta:member_gone", "member=gone@example.com"], "rule=meta:member_gone member=gone@example.com"),
        (["kind=meta", "channel=screen"], "kind=meta Channel=screen"),
        (["model=claude-opus-4-8"], "Model=claude-opus-4-8"),
        (["model=~claude-(opus|sonnet)-.*"], "Model=~claude-(opus|sonnet)-.*"),
        (["Member=ana@example.com", "severity!=critical"], "member=ana@example.com severity!=critical"),
        (["Model=", "member="], 'Model="" member=""'),
        (["part=burn"], "part=burn"),
        (["severity=info"], "severity=info"),
    ],
)
def test_what_could_match_is_taken_and_names_are_spelled_as_alerts_do(
    cli: Cli, watched: Path, matchers: list[str], written: str
) -> None:
    watched.write_text(watched.read_text() + SPLIT)
    ran = add(cli, *matchers)
    assert ran.err == "" or "gone@example.com" in written
    assert facts(ran)["About"] == written
    [silence] = stored(watched)
    assert " ".join(map(str, silence.matchers)) == written


@pytest.mark.parametrize(
    ("matcher", "sentence"),
    [
        ("member=Ana@exmple.com", "history has never seen such a member; did you mean ana@example.com?"),
        ("member=Ana@example.com", "history has never seen such a member; did you mean ana@example.com?"),
        ("Model=claude-opus-4.8", "history has never seen such a Model; did you mean claude-opus-4-8?"),
        ("Model!=claude-opus-4.8", "history has never seen such a Model; did you mean claude-opus-4-8?"),
        ("Model=~gpt.*", "history has never seen such a Model\n"),
    ],
)
def test_what_history_has_never_seen_may_come_but_is_warned_of(
    cli: Cli, watched: Path, matcher: str, sentence: str
) -> None:
    watched.write_text(watched.read_text() + SPLIT)
    ran = add(cli, matcher)
    assert ran.code == 0
    assert f"usage-watch: warning: {matcher}: {sentence}" in ran.err
    assert len(stored(watched)) == 1


def test_of_what_history_knows_nothing_it_says_nothing(cli: Cli, watched: Path) -> None:
    rule = "  - {id: new, kind: threshold, dataset: own_thing, for_each: Colour, above: 5}\n"
    watched.write_text(watched.read_text() + rule)
    assert add(cli, "colour=red").err == ""


# The list


def test_the_list_has_what_is_in_force_and_to_come(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    assert cli("silence", "list").out == "There is no silence in force or to come.\n"
    first = added(cli, "rule=~.*", "member!=bo@example.com")
    cli(
        "silence",
        "add",
        "rule=cycle",
        "--from",
        "2026-11-23T18:00",
        "--for",
        "2h",
        "--reason",
        "move",
        "--author",
        "bo",
    )
    lines = [re.split(r"\s{2,}", line) for line in cli("silence", "list").out.splitlines()]
    second = lines[2][0]
    assert lines == [
        ["id", "state", "from", "until", "holds", "what"],
        [first, "in force", "15:05", "17:05", "3", "rule=~.* member!=bo@example.com (ana: load test)"],
        [second, "to come", "Mon 23 Nov 18:00", "Mon 23 Nov 20:00", "rule=cycle (bo: move)"],
    ]
    clock.step(NOW + timedelta(hours=2))
    assert [each["id"] for each in listed(cli)] == [second]
    assert [(each["id"], each["state"]) for each in listed(cli, "--all")] == [(first, "over"), (second, "to come")]


def test_one_that_was_ended_before_it_began_is_over(cli: Cli, watched: Path) -> None:
    ran = cli("silence", "add", "rule=cycle", "--from", "2026-11-23T18:00", "--for", "2h", "--reason", "move")
    said = facts(cli("silence", "expire", facts(ran)["Silence"]))
    assert said["Was to begin"] == "Mon 23 Nov 18:00"
    assert listed(cli) == []
    assert [each["state"] for each in listed(cli, "--all")] == ["over"]


def test_what_people_wrote_obeys_nobody_else(cli: Cli, watched: Path) -> None:
    bad = "\x1b[2J\x9b31mred\u202e\r\nInjected: line"
    ran = cli("silence", "add", f"member=~.*|{bad}", "--for", "1h", "--reason", bad, "--author", bad)
    assert ran.code == 2, "a set that is never closed"
    escaped = bad.replace("[", "\\[")
    ran = cli("silence", "add", f"member=~.*|{escaped}", "--for", "1h", "--reason", bad, "--author", bad)
    [id] = [each["id"] for each in listed(cli)]
    incident = next(each["id"] for each in json.loads(cli("alerts", "--json").out) if each["labels"])
    ack = cli("alerts", "ack", incident, "--note", bad, "--author", bad)
    assert (ran.code, ack.code) == (0, 0)
    again = cli("alerts", "ack", incident)
    shown = [cli(*command.split()) for command in ("silence list", "status", "alerts", f"alerts show {incident}")]
    data = [cli(*command.split()) for command in ("silence list --json", "status --json", "alerts list --json")]
    for each in [ran, ack, again, *shown, *data, cli("silence", "expire", id)]:
        assert each.code == 0
        assert not set(each.said) & set("\x1b\x9b\u202e\r")
    assert all("Injected" in each.out for each in shown[:3])
    assert json.loads(data[0].out)[0]["reason"] == bad.strip()


def test_80_columns_are_enough(cli: Cli, watched: Path) -> None:
    added(cli, "rule=~.*", "severity=~warning|critical", "dataset=credit_usage", "member!=somebody.else@example.com")
    for arguments in (("silence", "list"), ("status",), ("alerts",)):
        code, seen = on_terminal(*arguments)
        assert code == 0
        assert max(map(len, seen.splitlines())) <= 80
        assert "…" not in seen


# Its end


def test_a_silence_is_ended_by_hand(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    id = added(cli, "rule=runaway")
    clock.step(NOW + timedelta(hours=1))
    ran = cli("silence", "expire", id)
    assert (ran.code, ran.err) == (0, "")
    assert facts(ran) == {
        "Ended": id,
        "About": "rule=runaway",
        "Was until": "17:05",
        "Matches now": "1 alert: runaway",
    }
    assert listed(cli) == []
    assert "silenced" not in cli("alerts").out
    again = cli("silence", "expire", id)
    assert (again.code, again.out) == (2, "")
    assert again.err == f"usage-watch: {id} is over already: it ended 16:05.\n"


def test_one_that_ended_by_itself_is_over(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    id = added(cli, "rule=meta:limit_hit")
    clock.step(NOW + timedelta(hours=2))
    assert cli("silence", "expire", id).err == f"usage-watch: {id} is over already: it ended 17:05.\n"


def test_a_beginning_is_enough_where_only_one_has_it(cli: Cli, watched: Path) -> None:
    one, two = added(cli, "rule=runaway"), added(cli, "rule=meta:limit_hit")
    assert facts(cli("silence", "expire", one[:14]))["Ended"] == one
    ran = cli("silence", "expire", two.removeprefix("sil_")[:10])
    assert facts(ran)["Ended"] == two
    assert facts(ran)["Matches now"] == "no open alert"


def test_a_beginning_of_several_asks_for_more_of_it(cli: Cli, watched: Path) -> None:
    for _ in range(4):
        added(cli, "rule=runaway")
    ran = cli("silence", "expire", "sil_")
    assert (ran.code, ran.out) == (2, "")
    assert re.fullmatch(
        r"usage-watch: 'sil_' is the beginning of 4 silences; write more of it: (sil_\w+, ){3}…\.\n", ran.err
    )


@pytest.mark.parametrize("id", ["sil_nothing", "%", ""])
def test_an_unknown_id_is_said_to_be_one(cli: Cli, watched: Path, id: str) -> None:
    added(cli, "rule=runaway")
    ran = cli("silence", "expire", id)
    assert (ran.code, ran.out) == (2, "")
    assert f"There is no silence {id!r}; `usage-watch silence list --all` lists them all." in ran.err


# Beside a daemon


@contextmanager
def daemon() -> Iterator[subprocess.Popen[str]]:
    """A real one that has done its first cycle."""
    with subprocess.Popen(
        program("-v", "run"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            cycled(process)
            yield process
        finally:
            process.kill()


def cycled(process: subprocess.Popen[str]) -> None:
    """Wait for the end of a cycle."""
    assert process.stderr is not None
    for line in process.stderr:
        if "cycle.done" in line:
            return
    raise AssertionError("the daemon ended")


def test_people_speak_beside_a_running_daemon(cli: Cli, rules: Path, fetched: Path, clock: SteppedClock) -> None:
    shutil.copy(fetched, rules.parent)
    clock.step(NOW + timedelta(minutes=15))
    with daemon() as process:
        silenced, ended = added(cli, "rule=~.*"), added(cli, "rule=runaway")
        assert cli("silence", "expire", ended).code == 0
        [incident] = [each["id"] for each in json.loads(cli("alerts", "--json").out) if each["labels"]]
        assert cli("alerts", "ack", incident).code == 0
        clock.step(NOW + timedelta(minutes=31))
        cycled(process)
        assert cli("silence", "add", "rule=cycle", "--for", "1h", "--reason", "x").code == 0
        process.send_signal(signal.SIGKILL)
        process.wait()
    states = {each["id"]: each["state"] for each in listed(cli, "--all")}
    assert (len(states), states[silenced], states[ended]) == (3, "in force", "over")
    found = next(each for each in json.loads(cli("alerts", "--json").out) if each["id"] == incident)
    assert found["ack"]["stands"] is True
    assert found["silence"]["id"] == silenced


# What it would do


def test_a_preview_says_what_is_open_and_what_would_have_been_kept_quiet(cli: Cli, watched: Path) -> None:
    ran = cli("silence", "preview", "rule=~runaway|heavy-day")
    assert (ran.code, ran.err) == (0, "")
    assert facts(ran) == {
        "About": "rule=~runaway|heavy-day",
        "Matches now": "2 alerts: runaway, heavy-day (ana@example.com)",
        "Since": "Sun 15 Nov 15:05 (times in Europe/Berlin)",
        "Told since": "3 alerts",
        "Kept quiet": "2 of them: heavy-day 1, runaway 1",
    }
    assert stored(watched) == []


def test_a_preview_as_data(cli: Cli, watched: Path) -> None:
    found = json.loads(cli("silence", "preview", "kind=budget", "--since", "2026-11-20", "--json").out)
    assert len(found.pop("matches")) == 1
    assert found == {
        "matchers": [{"name": "kind", "operator": "=", "value": "budget"}],
        "since": "2026-11-20T00:00:00Z",
        "told": 3,
        "kept": [{"rule": "cycle", "alerts": 1}],
    }


def test_what_was_told_before_is_not_counted(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    clock.step(NOW + timedelta(days=2))
    said = facts(cli("silence", "preview", "rule=~.*", "--since", "1d"))
    assert (said["Told since"], said["Kept quiet"]) == ("0 alerts", "0 of them")


def test_a_preview_of_what_matches_nothing_now_says_so(cli: Cli, watched: Path) -> None:
    assert facts(cli("silence", "preview", "severity=info"))["Matches now"] == "no open alert"


def test_a_preview_refuses_what_a_silence_would(cli: Cli, watched: Path) -> None:
    ran = cli("silence", "preview", "rule=runawy")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean runaway?" in ran.err
    assert cli("silence", "preview", "rule=runaway", "--since", "soon").code == 2
