from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.office import NOW
from tests.cli.stored import add, hours, store, usual
from tests.web.page.office import EVIL, ODD, RULES, SHELL, Office, simulated, veiled, written
from usage_watch.cli.entry import run
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.core.incident import Incident
from usage_watch.core.lessons import Answer, AnswerKind
from usage_watch.core.series import Feed, Reading, SeriesKey
from usage_watch.core.silence import Ack, Matcher, Operator, Silence
from usage_watch.core.units import to_epoch
from usage_watch.store.alerts import AlertStore
from usage_watch.store.answers import AnswerStore
from usage_watch.store.database import open_for_writing
from usage_watch.store.history import HistoryStore
from usage_watch.store.silences import SilenceStore
from usage_watch.web.page.room import key_of

HOUR = timedelta(hours=1)
NOTE = "<b>on it</b> & more"


@pytest.fixture(scope="module")
def later(unproxied: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with simulated(tmp_path_factory.mktemp("later"), half_days=5) as found:
        yield found


def at(office: Office, name: str) -> str:
    """A model's open alert of a threshold."""
    return next(
        each.id
        for each in office.incidents()
        if each.rule.id == "hourly" and each.open and name in each.labels.values()
    )


def acknowledge(office: Office, incident: Incident, note: str | None = None) -> None:
    with open_for_writing(office.database) as database:
        SilenceStore(database).ack(Ack(incident.id, incident.rank, office.now, "ana", note))


# ---- all of them -----------------------------------------------------------------------------------------------------


def test_what_is_open_is_first_the_gravest_first_of_all(office: Office) -> None:
    page = office.page("/alerts")
    assert [words for _, words in page.headings] == ["Alerts", "Open: 4", "Over, of the last 7 days: 0"]
    said = page.said
    assert said.index("critical") < said.index("warning") < said.index("Over, of the last")
    linked = [parse_qs(urlsplit(each).query)["id"][0] for each in page.links if each.startswith("alert?")]
    assert [*map(office.rule_of, linked)] == ["meta:auth_revoked", "cycle", "runaway", "heavy-day"]


def test_what_is_over_follows_with_when_it_ended(later: Office) -> None:
    page = later.page("/alerts")
    assert [words for _, words in page.headings] == ["Alerts", "Open: 5", "Over, of the last 7 days: 2"]
    over = page.said.partition("Over, of the last")[2]
    assert (
        "18,000 credits in 3 h, over the warning limit of 2,000 runaway · Sun 22 Nov 12:00 until Sun 22 Nov 16:00"
        in over
    )
    assert over.index("Sun 22 Nov 16:00") < over.index("Sat 21 Nov 18:00"), "the last end first"
    assert "open since" not in over


def test_each_is_linked_and_so_is_its_rule_with_the_series_that_it_is_about(office: Office) -> None:
    links = office.page("/alerts").links
    heavy = office.one("heavy-day")
    assert f"alert?id={heavy.id}" in links
    assert f"rule?id=heavy-day&series={key_of(heavy.labels)}" in links
    assert "rule?id=runaway" in links
    assert not [each for each in links if "meta" in each], "the watcher's own alerts have no rule"


@pytest.mark.parametrize(("since", "words"), [("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days")])
def test_how_far_back_is_chosen_by_links(later: Office, since: str, words: str) -> None:
    page = later.page("/alerts", f"since={since}")
    assert [each for each in page.links if each.startswith("alerts?")][:3] == [
        "alerts?since=7d",
        "alerts?since=30d",
        "alerts?since=90d",
    ]
    assert page.current == ["alerts", f"alerts?since={since}"]
    assert f"Over, of the last {words}: 2" in page.said


def test_what_was_over_before_its_rule_was_seen_is_counted_and_shown_when_asked_for(office: Office) -> None:
    page = office.page("/alerts", "since=30d")
    assert "1 more: over before their rule was first seen, and told to nobody. Show them" in page.said
    assert "alerts?since=30d&history=yes" in page.links
    page = office.page("/alerts", "since=30d&history=yes")
    assert "Over, of the last 30 days: 1" in page.said
    assert "(from before the rule was first seen, told to nobody)" in page.said
    assert "Leave them out" in page.said
    assert page.links[-1] == "alerts?since=30d"


def test_a_span_that_there_is_no_list_of_is_refused(office: Office) -> None:
    assert "There is no list of alerts since '<b>'; it is for 7d, 30d or 90d." in office.sorry("/alerts", "since=<b>")


def test_where_nothing_is_open_or_over_that_is_said(tmp_path: Path) -> None:
    office = written(tmp_path, RULES, "http://localhost:1/")
    open_for_writing(office.database).close()
    said = office.page("/alerts", "since=30d").said
    assert "Open: 0 Nothing is open." in said
    assert "Nothing has ended in 30 days." in said


def test_what_people_said_of_one_is_said_beside_it(office: Office, tmp_path: Path) -> None:
    mine = office.copy(tmp_path)
    one = mine.one("runaway")
    acknowledge(mine, one)
    with open_for_writing(mine.database) as database:
        matchers = (Matcher("rule", Operator.IS, "runaway"),)
        SilenceStore(database).add(
            Silence("sil_1", matchers, mine.now, mine.now + HOUR, "bo", "load test", mine.now - HOUR)
        )
    assert "acknowledged by ana, silenced until 19:05 by bo" in mine.page("/alerts").said
    page = mine.page("/alert", f"id={one.id}")
    assert "Acknowledged 18:05 by ana" in page.said
    assert "Silenced until 19:05 by bo (sil_1): load test" in page.said
    assert page.codes == [], "there is nothing more to answer"


def test_of_very_many_the_first_are_shown_and_the_rest_counted(office: Office, tmp_path: Path) -> None:
    mine = office.copy(tmp_path)
    one = mine.one("runaway")
    with open_for_writing(mine.database) as database:
        many = [replace(one, id=f"inc_x{place}", fingerprint=f"{place}") for place in range(300)]
        AlertStore(database).commit(many, [], [], [], mine.now)
    page = mine.page("/alerts")
    assert "Open: 304" in page.said
    assert "And 104 more: usage-watch alerts list" in page.said
    assert len([each for each in page.links if each.startswith("alert?")]) == 200


# ---- one of them -----------------------------------------------------------------------------------------------------


def test_what_happened_is_its_heading_and_all_that_is_known_follows(office: Office) -> None:
    page = office.alert("runaway")
    assert [words for _, words in page.headings] == [
        "18,000 credits in 3 h, over the warning limit of 2,000",
        "How it came to this: credits in 3 h",
        "What to do",
        "All that is known",
        "Who and what it comes from",
        "By Credit Source",
        "By Model",
        "What was decided, and why",
        "Messages",
    ]
    assert "warning · open since" in page.said
    assert page.charts == 2
    assert "Rule runaway (threshold) Incident inc_" in page.said
    assert "Value 18,000 credits, at its worst; limit 2,000" in page.said
    assert "screen fired yes It is open at warning." in page.said
    assert "screen fired sent 1" in page.said
    assert "rule?id=runaway" in page.links


def test_the_numbers_of_the_chart_can_be_read_the_newest_first(office: Office) -> None:
    said = office.alert("runaway").said
    assert "Its numbers until credits in 3 h 14:00 18,000 13:00 9,000" in said
    assert "usual" not in said.partition("What to do")[0].partition("Its numbers")[2]


def test_while_it_is_open_there_are_commands_and_they_do_what_they_say(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = office.copy(tmp_path)
    codes = mine.alert("runaway").codes
    one = mine.one("runaway")
    assert codes == [
        f"usage-watch alerts ack {one.id}",
        "usage-watch silence add rule=runaway --for 2h --reason 'looking into it'",
    ]
    run_all(mine, codes, tmp_path, monkeypatch)
    said = capsys.readouterr().out
    assert "Acknowledged" in said
    assert "Matches now  1 alert: runaway" in said
    page = mine.alert("runaway")
    assert page.codes == []
    assert "What to do Runbook: https://wiki.example.com/runaway?a=1&b=2" in page.said
    assert "https://wiki.example.com/runaway?a=1&b=2" in page.links


def run_all(office: Office, codes: list[str], folder: Path, patch: pytest.MonkeyPatch) -> None:
    """As somebody would who copies them."""
    clock = SteppedClock(folder / "clock")
    clock.step(office.now)
    patch.setenv(STEPPED, str(folder / "clock"))
    patch.setenv("USAGE_WATCH_CONFIG", str(office.rules))
    for each in codes:
        name, *words = shlex.split(each)
        assert name == "usage-watch"
        assert run(words) == 0


def test_a_name_that_a_shell_would_misread_can_be_copied_all_the_same(
    odd: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = odd.copy(tmp_path)
    page = mine.page("/alert", f"id={at(mine, SHELL)}")
    silence = page.codes[-1]
    run_all(mine, [silence], tmp_path, monkeypatch)
    assert "Matches now  1 alert: hourly" in capsys.readouterr().out
    assert silence not in mine.page("/alert", f"id={at(mine, SHELL)}").codes


def test_a_name_that_nobody_could_copy_is_left_to_be_written(odd: Office) -> None:
    page = odd.page("/alert", f"id={at(odd, EVIL)}")
    assert page.codes[-1] == "usage-watch silence add rule=hourly Model=NAME --for 2h --reason 'looking into it'"


def test_of_a_budget_only_the_part_is_silenced_that_speaks(odd: Office) -> None:
    one = odd.one("people", part="levels")
    said = shlex.split(odd.page("/alert", f"id={one.id}").codes[-1])
    assert said[:6] == ["usage-watch", "silence", "add", "rule=people", "part=levels", f'member="{ODD}"']


def test_an_anomaly_can_be_answered_once(odd: Office, tmp_path: Path) -> None:
    mine = odd.copy(tmp_path)
    one = mine.one("models")
    answers = [f"usage-watch alerts expected {one.id}", f"usage-watch alerts rebaseline {one.id}"]
    page = mine.alert("models")
    assert page.codes[1:3] == answers
    with open_for_writing(mine.database) as database:
        said = Answer(one.id, AnswerKind.EXPECTED, None, None, mine.now, "bo", NOTE)
        AnswerStore(database).say(said, Ack(one.id, one.rank, mine.now, "bo", NOTE))
    page = mine.alert("models")
    assert not {*answers} & {*page.codes}
    assert f"said 15:05 by bo: {NOTE}" in page.said


def test_what_is_usual_stands_beside_the_numbers_of_an_anomaly(odd: Office) -> None:
    said = odd.alert("models").said
    assert "until credits in 1 h usual 15:00" in said or "until credits in 3 h usual 15:00" in said


def test_what_is_over_has_no_commands(later: Office) -> None:
    page = later.alert("runaway", is_open=False)
    assert page.codes == []
    assert "warning · Sun 22 Nov 12:00 until Sun 22 Nov 16:00" in page.said
    assert "Tue 24 Nov 16:05 screen resolved yes It has ended." in page.said
    assert "https://wiki.example.com/runaway?a=1&b=2" in page.links, "what to do next time"


def test_where_there_is_nothing_to_do_any_more_nothing_is_said_of_it(later: Office, tmp_path: Path) -> None:
    mine = later.copy(tmp_path)
    one = mine.one("cycle", part="levels")
    assert "What to do" in mine.page("/alert", f"id={one.id}").said
    with open_for_writing(mine.database) as database:
        over = replace(one, ended_at=mine.now, closed="Its rule was changed.")
        AlertStore(database).commit([over], [], [], [], mine.now)
    page = mine.page("/alert", f"id={one.id}")
    assert "What to do" not in page.said
    assert page.headings[0][1].endswith("(Its rule was changed)")
    assert "Rule cycle (budget): Credits of this cycle" in page.said


def test_one_that_nobody_was_told_of_says_so(office: Office) -> None:
    [past] = [each for each in office.incidents() if each.history]
    said = office.page("/alert", f"id={past.id}").said
    assert "History it had ended before its rule was first seen, and was told to nobody" in said
    assert "Messages Nobody is told of it." in said


def test_what_was_never_decided_on_says_so(office: Office, tmp_path: Path) -> None:
    mine = office.copy(tmp_path)
    with open_for_writing(mine.database) as database:
        one = replace(mine.one("runaway"), id="inc_quiet", fingerprint="quiet")
        AlertStore(database).commit([one], [], [], [], mine.now)
    assert "What was decided, and why There was nothing to decide." in mine.page("/alert", "id=inc_quiet").said


def test_what_is_not_known_is_a_gap_among_the_numbers(office: Office, tmp_path: Path) -> None:
    mine = office.copy(tmp_path)
    one = mine.one("runaway")
    series = one.evidence.series
    assert series is not None
    values = (*series.values[:-2], None, series.values[-1])
    usual = (*[1.0] * (len(values) - 1), None)
    holed = replace(series, values=values, low=usual, high=tuple(each and 2 * each for each in usual))
    with open_for_writing(mine.database) as database:
        changed = replace(one, evidence=replace(one.evidence, series=holed))
        AlertStore(database).commit([changed], [], [], [], mine.now)
    said = mine.alert("runaway").said
    assert "until credits in 3 h usual 14:00 18,000 13:00 not known 1 to 2 12:00 0 1 to 2" in said


def test_of_many_categories_the_first_are_shown(odd: Office, tmp_path: Path) -> None:
    mine = odd.copy(tmp_path)
    over = hours(NOW.replace(minute=0) - timedelta(days=42), NOW)
    many = {f"model-{each:02}": usual(over, 9 + each, each) for each in range(13)}
    add(many["model-12"], over, NOW.replace(minute=0) - timedelta(hours=2), 9_000, 2)
    store(mine.database, NOW, over, many)
    mine.rules.write_text(mine.rules.read_text().replace("kind: threshold, for_each: Model", "kind: threshold"))
    with open_for_writing(mine.database) as database:
        one = mine.one("hourly")
        AlertStore(database).commit([replace(one, labels={})], [], [], [], mine.now)
    said = mine.page("/alert", f"id={one.id}").said
    assert "By Model Model used usual change of the rise" in said
    assert "model-12 " in said
    assert " more. What was decided" in said


def test_who_and_what_it_comes_from_is_a_table_an_axis(office: Office) -> None:
    said = office.alert("runaway").said
    assert "Who and what it comes from 11:00–14:00 against the 4 weeks before." in said
    assert "By Model Model used usual change of the rise claude-opus-4-8 18,000 0 +18,000 100 %" in said


def test_which_of_its_numbers_came_late_or_were_changed_is_said(office: Office, tmp_path: Path) -> None:
    assert "How its numbers came" not in office.alert("runaway").said
    mine = office.copy(tmp_path)
    one, feed = mine.one("runaway"), Feed("credit_usage", 3600)
    start = to_epoch(one.evidence.from_at)
    with open_for_writing(mine.database) as database:
        rows = [(SeriesKey(feed), start, 4_120), (SeriesKey(feed), start + 3_600, 5_900)]
        HistoryStore(database).save(Reading(feed, (), (start, start + 3_600), tuple(rows)), mine.now + HOUR)
    said = mine.alert("runaway").said.partition("How its numbers came ")[2].partition(" Who and what")[0]
    assert said == (
        "11:00–12:00 came 7 h 5 min after its end 12:00–13:00 revised from 9,000 to 5,900 credits on Sun 22 Nov 19:05"
    )


def test_of_very_many_that_were_changed_the_rest_is_counted(office: Office, tmp_path: Path) -> None:
    mine = office.copy(tmp_path)
    one, feed = mine.one("cycle", part="levels"), Feed("credit_usage", 3600)
    last = to_epoch(one.evidence.until_at)
    starts = tuple(range(last - 50 * 7_200, last, 7_200))[:25]
    with open_for_writing(mine.database) as database:
        rows = tuple((SeriesKey(feed), start, 50) for start in starts)
        HistoryStore(database).save(Reading(feed, (), starts, rows), mine.now + HOUR)
    assert "And 5 more." in mine.page("/alert", f"id={one.id}").said


def test_the_watchers_own_alert_has_its_page_too(office: Office) -> None:
    [one] = [each for each in office.incidents() if each.rule.kind == "meta" and each.open]
    page = office.page("/alert", f"id={one.id}")
    assert page.charts == 0
    assert page.codes[0] == f"usage-watch alerts ack {one.id}"
    todo, _, facts = page.said.partition("All that is known")
    assert "What to do Have an organization admin make a key" in todo
    assert "What to do" not in facts
    assert "Why A key is revoked when a new key is made" in facts
    assert f"Rule {one.rule.id} (meta)" in page.said
    assert not [each for each in page.links if each.startswith("rule?")]


def test_a_rule_that_is_gone_is_named_without_a_link(office: Office, tmp_path: Path) -> None:
    mine = office.copy(tmp_path)
    mine.rules.write_text(mine.rules.read_text().replace("id: runaway", "id: another"))
    page = mine.alert("runaway")
    assert "Rule runaway (threshold)" in page.said
    assert not [each for each in page.links if each.startswith("rule?")]


@pytest.mark.parametrize("cut", [9, 12])
def test_any_beginning_of_its_id_that_no_other_has_will_do(office: Office, cut: int) -> None:
    id = office.one("runaway").id
    for asked in (id[:cut], id.removeprefix("inc_")[:cut]):
        assert office.page("/alert", f"id={asked}").headings == office.alert("runaway").headings


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("id=inc_nothing", "There is no alert 'inc_nothing'; usage-watch alerts list"),
        ("id=<script>", "There is no alert '<script>'"),
        ("id=inc_", "'inc_' is the beginning of 5 alerts; write more of it"),
        ("", "There is no alert ''"),
    ],
)
def test_an_alert_that_does_not_exist_is_no_page(office: Office, query: str, why: str) -> None:
    assert why in office.sorry("/alert", query)


def test_a_runbook_that_is_no_web_address_is_no_link(office: Office, tmp_path: Path) -> None:
    mine = office.copy(tmp_path)
    one = mine.one("runaway")
    for runbook in ("javascript:alert(1)", "https://wiki.example.com/of/ana@example.com"):
        with open_for_writing(mine.database) as database:
            AlertStore(database).commit([replace(one, rule=replace(one.rule, runbook=runbook))], [], [], [], mine.now)
        page = veiled(mine).page("/alert", f"id={one.id}")
        assert "Runbook" not in page.said
        assert not [each for each in page.links if ":" in each]


# ---- what others wrote -----------------------------------------------------------------------------------------------


def pages_of(office: Office) -> Iterator[str]:
    for path, query in [
        ("/alerts", "since=90d&history=yes"),
        *(("/alert", f"id={each.id}") for each in office.incidents()),
    ]:
        status, text = office.answer(path, query)
        assert status == 200
        yield text


def test_whatever_a_model_or_a_note_is_called_it_stays_text(odd: Office, tmp_path: Path) -> None:
    mine = odd.copy(tmp_path)
    for each in mine.incidents():
        acknowledge(mine, each, NOTE)
    assert "\u202e" not in "".join(pages_of(mine))
    for each in mine.incidents():
        page = mine.page("/alert", f"id={each.id}")
        assert NOTE in page.said
        series = next(iter(each.labels.values())).replace("\u202e", "")
        assert page.headings[0][1].startswith(f"{series}: ")
    assert "(zscore): <i>" in mine.alert("models").said


def test_members_are_veiled_wherever_they_stand(odd: Office, tmp_path: Path) -> None:
    mine = odd.copy(tmp_path)
    one = mine.one("people", part="levels")
    with open_for_writing(mine.database) as database:
        SilenceStore(database).ack(Ack(one.id, one.rank, mine.now, ODD, f"told {ODD}"))
    assert "d&#x27;arc" in "".join(pages_of(mine))
    text = "".join(pages_of(veiled(mine)))
    assert "D.A.J.: " in text
    assert "told D.A.J." in text
    assert "member=NAME" in text
    for trace in ("@", "%40", "d&#x27;", "d'", "jean"):
        assert trace not in text


def test_veiled_pages_of_a_simulated_office_hold_no_address(office: Office) -> None:
    assert "ana@example.com" in "".join(pages_of(office))
    text = "".join(pages_of(veiled(office)))
    assert "@" not in text
    assert "A.: 8,000 credits in 1 d" in text


def test_names_are_cut_once_they_are_veiled(odd: Office, tmp_path: Path) -> None:
    mine = odd.copy(tmp_path)
    one, member = mine.one("people", part="levels"), f"{'x' * 290}.anabel.reyes@example.com"
    with open_for_writing(mine.database) as database:
        AlertStore(database).commit([replace(one, labels={"member": member})], [], [], [], NOW)
    assert "anabel" not in "".join(pages_of(veiled(mine)))
