from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from tests.fakes.scripted_http import Answer
from tests.fakes.slack_api import TOKEN, SlackApi
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.rules.making import made
from tests.telling import desk_of
from usage_watch.assess import Outcome, assess, wanted
from usage_watch.clock import SteppedClock
from usage_watch.config import load
from usage_watch.core.hello import hello_id
from usage_watch.core.message import Reason, Severity
from usage_watch.core.promise import Target
from usage_watch.core.series import HOUR, Feed, Reading, SeriesKey
from usage_watch.cycle import Cycle, Summary
from usage_watch.deliver import Delivered
from usage_watch.fetch import Fetched, Progress, silent
from usage_watch.loading import Stores, load_ledger
from usage_watch.meta import Sight
from usage_watch.rules import Rule
from usage_watch.simulator import DEFAULT_KEY, Runaway, Scenario, SimulatorServer
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.history import HistoryStore
from usage_watch.store.outbox import Outbox
from usage_watch.terms import asking_of, desk

NOW = datetime(2026, 11, 20, 3, 5, tzinfo=UTC)
ONE = NOW.replace(hour=1, minute=0)
EVERY = timedelta(minutes=15)
KEY = "PERPLEXITY_ANALYTICS_API_KEY"

RULES = """\
timezone: Europe/Berlin
source: {{base_url: "{source}", backfill: 3d}}
channels:
  pager: {{kind: webhook, url: "{hook}"}}
notify: [pager]
rules:
  - {{id: hourly, kind: threshold, above: {{warning: 2_000, critical: 20_000}}}}
"""


@dataclass
class Office:
    """A source where a job runs from one to three, a receiver, and cycles at will."""

    source: SimulatorServer
    pager: WebhookReceiver
    clock: SteppedClock
    rules: Path
    database: Database
    environ: dict[str, str] = field(default_factory=lambda: {KEY: DEFAULT_KEY})
    stop: Event = field(default_factory=Event)

    @contextmanager
    def opened(self, progress: Progress = silent) -> Iterator[Cycle]:
        with Cycle(load(self.rules), self.database, self.clock, self.stop, self.environ, progress) as cycle:
            yield cycle

    def run(self, at: datetime | None = None) -> Summary:
        """One cycle of a process that was just started."""
        if at is not None:
            self.clock.step(at)
        with self.opened() as cycle:
            return cycle.run()

    @property
    def told(self) -> list[str]:
        return [request.json["reason"] for request in self.pager.requests]

    def rewrite(self, before: str, after: str) -> None:
        text = self.rules.read_text()
        assert before in text
        self.rules.write_text(text.replace(before, after))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    clock = SteppedClock(tmp_path / "clock")
    clock.step(NOW)
    job = Runaway("priya.nair@example.com", "claude-opus-4-8", ONE, 2, 9_000)
    story = Scenario(1, ONE.replace(hour=0) - timedelta(days=5), lag=None, quiet=True, runaways=(job,))
    rules = tmp_path / "rules.yaml"
    with SimulatorServer(story, now=clock.now) as source, WebhookReceiver() as pager:
        rules.write_text(RULES.format(source=source.base_url, hook=pager.url("/hook")))
        with open_for_writing(tmp_path / "usage-watch.db") as database:
            yield Office(source, pager, clock, rules, database)


# ---- the straight line ----------------------------------------------------------------------------------------------


def test_one_cycle_reads_judges_commits_and_sends(office: Office) -> None:
    summary = office.run()
    assert summary.fetched == Fetched(asked=2, polled=2, new=72 + 3)
    assert [decision.why for decision in summary.outcome.decisions] == ["It is open at warning."]
    assert summary.delivered == Delivered(sent=1)
    assert summary.next_at == NOW + EVERY
    assert office.told == ["fired"]
    (incident,) = AlertStore(office.database).incidents(NOW)
    assert (incident.started_at, incident.open, incident.severity) == (ONE, True, Severity.WARNING)


def test_the_first_message_says_already_who_it_was(office: Office) -> None:
    """Member days are read for it though nothing was open when the cycle began."""
    office.rewrite("kind: threshold, above", "kind: threshold, bucket: 1d, above")
    office.run(NOW + timedelta(days=1))
    (request,) = office.pager.requests
    facts = {each["name"]: each["value"] for each in request.json["facts"]}
    assert "priya.nair@example.com" in facts["Why"]
    assert "member" in {each["axis"] for each in request.json["contributors"]}


def test_words_that_fail_at_night_cost_no_message_and_are_told_once(office: Office) -> None:
    """What `check` refuses can still come: in titles that another version stored, or by a fault of ours."""
    whole = load(office.rules)
    broken = whole.model_copy(update={"rules": (whole.rules[0].model_copy(update={"text": "costs $5"}),)})
    for minutes in (0, 20):
        office.clock.step(NOW + timedelta(minutes=minutes))
        with Cycle(broken, office.database, office.clock, office.stop, office.environ) as cycle:
            cycle.run()
    heard = [(each.json["rule"]["id"], each.json["reason"]) for each in office.pager.requests]
    assert heard == [("hourly", "fired"), ("meta:template_error", "fired")]
    alert, told = (request.json for request in office.pager.requests)
    assert "Text" not in {fact["name"] for fact in alert["facts"]}
    assert told["incident"]["labels"] == {"Rule": "hourly"}
    assert told["facts"][0]["value"].startswith("ValueError: Invalid placeholder")
    office.rewrite("threshold, above", 'threshold, text: "costs $$5", above')
    for minutes in (40, 60):
        office.run(NOW + timedelta(minutes=minutes))
    assert office.told == ["fired", "fired", "resolved"]


def test_the_same_cycle_again_has_nothing_to_do(office: Office) -> None:
    office.run()
    for minutes in (0, 5, 14):
        summary = office.run(NOW + timedelta(minutes=minutes))
        assert idle(summary) == Summary(Fetched(), Outcome(), Delivered(), NOW + EVERY)
    assert office.told == ["fired"]


def idle(summary: Summary) -> Summary:
    """The same, without when there may be more to say though nothing happens."""
    return replace(summary, outcome=replace(summary.outcome, next_at=None))


def test_one_process_and_one_a_cycle_are_the_same(office: Office) -> None:
    with office.opened() as cycle:
        for hours in range(8):
            office.clock.step(NOW + timedelta(hours=hours))
            cycle.run()
    assert office.told == ["fired"]
    assert office.run(NOW + timedelta(hours=60)).delivered == Delivered(sent=1)
    assert office.told == ["fired", "resolved"]


def test_told_to_end_while_it_reads_it_ends_and_the_next_start_tells(office: Office) -> None:
    with office.opened(lambda *_: office.stop.set()) as cycle:
        summary = cycle.run()
    assert (summary.fetched.new > 0, summary.outcome, summary.delivered, office.told) == (
        True,
        Outcome(),
        Delivered(),
        [],
    )
    office.stop.clear()
    again = office.run(NOW + timedelta(seconds=1))
    assert (len(again.outcome.posts), again.delivered, office.told) == (1, Delivered(sent=1), ["fired"])


def test_a_history_that_is_read_in_many_turns_tells_what_one_read_at_once_tells(office: Office) -> None:
    office.rewrite("backfill: 3d", "backfill: 90d")
    turns = 0
    with Cycle(load(office.rules), office.database, office.clock, office.stop, office.environ, turn=0) as cycle:
        while (summary := cycle.run()).next_at <= office.clock.now():
            turns += 1
    assert turns > 10
    assert office.told == ["fired"]
    (incident,) = AlertStore(office.database).incidents(NOW)
    assert (incident.started_at, incident.open, incident.severity) == (ONE, True, Severity.WARNING)
    assert summary.next_at == NOW + EVERY


# ---- when it wakes --------------------------------------------------------------------------------------------------


def test_it_wakes_for_a_message_that_is_to_be_tried_again(office: Office) -> None:
    office.pager.script.append(Answer(503, headers={"Retry-After": "30"}))
    summary = office.run()
    assert len(summary.delivered.failures) == 1
    assert summary.next_at == NOW + timedelta(seconds=30)
    assert office.run(summary.next_at).next_at == NOW + EVERY
    assert office.told == ["fired", "fired"]
    assert len({request.headers["webhook-id"] for request in office.pager.requests}) == 1


def test_it_wakes_for_a_feed_that_is_to_be_tried_again(office: Office) -> None:
    office.source.api = office.source.api.__class__(office.source.api.usage, "another key")
    summary = office.run()
    assert len(summary.fetched.failures) == 1
    assert summary.next_at == NOW + timedelta(minutes=1)


def test_with_nothing_to_watch_it_wakes_now_and_then(office: Office) -> None:
    office.rewrite("kind: threshold", "enabled: no, kind: threshold")
    assert office.run() == Summary(Fetched(), Outcome(), Delivered(), NOW + EVERY)


# ---- when something fails -------------------------------------------------------------------------------------------


def test_what_waits_is_sent_though_the_source_fails(office: Office) -> None:
    office.pager.script.append(Answer(503, headers={"Retry-After": "1200"}))
    office.run()
    del office.environ[KEY]
    summary = office.run(NOW + timedelta(minutes=20))
    assert summary.fetched.failures == (f"env {KEY} is not set: set it where usage-watch is started.",)
    assert summary.delivered == Delivered(sent=1)


def test_a_key_that_was_changed_is_used_at_once(office: Office) -> None:
    with office.opened() as cycle:
        office.environ[KEY] = "a wrong key"
        assert len(cycle.run().fetched.failures) == 1
        office.environ[KEY] = DEFAULT_KEY
        office.clock.step(NOW + timedelta(minutes=1))
        assert cycle.run().fetched.polled == 2


def test_stopped_in_a_backfill_it_does_not_take_what_was_open_then_for_open_now(office: Office) -> None:
    # A page is a week of hours: the first one ends in the midst of the job, which is long over now.
    office.rewrite("3d", "14d")
    office.clock.step(ONE + timedelta(days=7, hours=1, minutes=5))
    with office.opened(lambda *_: office.stop.set()) as cycle:
        stopped = cycle.run()
    assert (stopped.fetched.new, stopped.outcome.incidents, stopped.delivered) == (168, (), Delivered())
    office.stop.clear()
    assert office.run().fetched.polled == 2
    assert office.told == []
    assert [each.history for each in AlertStore(office.database).incidents(ONE)] == [True]


@pytest.mark.parametrize("jumps", [[-24, 0], [24, 0], [-24, 24, 0], [1, -1, 0]])
def test_a_clock_that_jumps_tells_nothing_twice(office: Office, jumps: list[int]) -> None:
    office.source.now = lambda: NOW
    office.run()
    for hours in jumps:
        summary = office.run(NOW + timedelta(hours=hours))
        assert (summary.outcome.posts, summary.fetched.failures) == ((), ())
        assert summary.next_at <= NOW + EVERY, "by the source's clock"
    assert office.told == ["fired"]


# ---- what the rules file says ---------------------------------------------------------------------------------------


def test_a_new_rules_file_is_judged_anew(office: Office) -> None:
    office.run()
    office.rewrite("warning: 2_000", "warning: 12_000")
    office.run(NOW + timedelta(minutes=1))
    office.rewrite("above: {warning: 12_000", "enabled: no, above: {warning: 2_000")
    office.run(NOW + timedelta(minutes=2))
    office.rewrite("enabled: no", "enabled: yes")
    office.run(NOW + timedelta(minutes=3))
    assert office.told == ["fired", "closed", "fired"]


def test_links_lead_where_the_file_says_from_the_next_message_on(office: Office) -> None:
    with office.opened() as cycle:
        cycle.run()
        office.rewrite("channels:\n", "web: {public_url: https://example.com/usage/}\nchannels:\n")
        office.rewrite("2_000, critical: 20_000", "2_000, critical: 8_000")
        cycle.heed(load(office.rules))
        office.clock.step(NOW + timedelta(minutes=1))
        cycle.run()
    first, second = (request.json for request in office.pager.requests)
    assert "url" not in first
    assert second["url"] == f"https://example.com/usage/alert?id={second['incident']['id']}"


def test_what_was_for_a_removed_channel_goes_nowhere(office: Office) -> None:
    office.pager.script.append(Answer(503))
    office.run()
    office.rewrite("pager", "bell")
    office.run(NOW + timedelta(hours=1))
    first, second = office.pager.requests
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


def test_asking_and_telling_are_what_the_file_says(office: Office) -> None:
    config = load(office.rules)
    asking = asking_of(config, NOW)
    assert (asking.keep_from, asking.poll_every, asking.at_once) == (NOW - timedelta(days=3), EVERY, False)
    assert [str(feed) for feed in asking.feeds] == ["credit_usage 1h", "credit_usage 1d each-member"]
    told = desk(config)
    assert (told.form.targets, told.form.zone.key) == ({"pager": Target(people=False)}, "Europe/Berlin")
    assert told.routes["hourly"][Severity.INFO] == ["pager"]


# ---- the first line -------------------------------------------------------------------------------------------------

HELLO = "👋 usage-watch watches 1 rule and tells you here; data until 04:00 (Europe/Berlin)"


def with_screens(office: Office, *names: str) -> None:
    """These print what they are told; beside a machine."""
    lines = "".join(f"  {name}: {{kind: log}}\n" for name in names)
    office.rewrite("channels:\n", f"channels:\n{lines}")
    office.rewrite("notify: [", f"notify: [{', '.join(names)}, ")


def marks(printed: str) -> list[str]:
    """What the messages begin with."""
    return [block.partition(" ")[0] for block in printed.strip().split("\n\n") if not block[:1].isascii()]


def test_people_are_greeted_once_and_before_any_alert(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    with_screens(office, "screen")
    assert office.run().delivered == Delivered(sent=3)
    printed = capsys.readouterr().out
    assert printed.startswith(f"{HELLO}\n")
    assert (marks(printed), office.told) == (["👋", "🟠"], ["fired"])
    office.rewrite("screen: {kind: log}", "screen: {kind: log, members: hidden}")
    office.rewrite("id: hourly", "id: each-hour")
    office.run(NOW + timedelta(hours=1))
    assert "👋" not in capsys.readouterr().out, "never again, whatever is changed"


def test_a_channel_that_is_new_is_greeted_then(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    with_screens(office, "screen")
    office.run()
    capsys.readouterr()
    with_screens(office, "another")
    office.run(NOW + timedelta(minutes=1))
    assert capsys.readouterr().out.count("👋") == 1
    office.run(NOW + timedelta(minutes=2))
    assert capsys.readouterr().out == ""


def test_who_first_hears_that_nothing_can_be_read_is_greeted_once_it_can(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    with_screens(office, "screen")
    office.environ[KEY] = "a wrong key"
    for minutes in range(0, 20, 5):
        office.run(NOW + timedelta(minutes=minutes))
    assert marks(capsys.readouterr().out) == ["🔴"]
    office.environ[KEY] = DEFAULT_KEY
    office.run(NOW + timedelta(hours=1))
    printed = capsys.readouterr().out
    assert (marks(printed)[0], printed.count("👋")) == ("👋", 1)


def test_a_greeting_that_fails_is_sent_later(office: Office) -> None:
    with SlackApi() as slack:
        ops = f'ops: {{kind: slack, token: {{env: TOKEN}}, channel: "#usage", base_url: "{slack.base_url}"}}'
        office.rewrite("channels:\n", f"channels:\n  {ops}\n")
        office.rewrite("notify: [", "notify: [ops, ")
        office.environ["TOKEN"] = TOKEN
        slack.script.append(Answer(503))
        for minutes in (0, 5, 10):
            office.run(NOW + timedelta(minutes=minutes))
        posts = [each.payload["metadata"]["event_payload"] for each in slack.messages.values()]
    assert {post["reason"]: post["id"] for post in posts}["hello"] == hello_id("ops")
    assert sorted(post["reason"] for post in posts) == ["fired", "hello"]


# ---- how far back a ledger reaches ----------------------------------------------------------------------------------

FEED = Feed("credit_usage", HOUR)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass
class Archive:
    """Cycles over stored history, without a source or a channel."""

    database: Database
    rules: list[Rule]

    def save(self, counts: dict[str, list[int]], at: datetime) -> None:
        n = len(next(iter(counts.values())))
        first = int(MONDAY.timestamp())
        rows = [
            (SeriesKey(FEED, "Model" if name else None, name or None), first + HOUR * hour, values[hour])
            for name, values in counts.items()
            for hour in range(n)
        ]
        starts = tuple(range(first, first + HOUR * n, HOUR))
        history = HistoryStore(self.database)
        history.save(Reading(FEED, ("Model",), starts, tuple(rows)), at)
        history.read_up(FEED, at, at, EVERY, MONDAY)

    def cycle(self, at: datetime) -> Outcome:
        told = desk_of({rule.id: ["ops"] for rule in self.rules})
        alerts, outbox = AlertStore(self.database), Outbox(self.database)
        greeted_long_ago = frozenset[str]()
        ledger = replace(load_ledger(Stores(self.database), self.rules, told, at), strangers=greeted_long_ago)
        history = HistoryStore(self.database).load(wanted(self.rules, ledger.incidents, told, at))
        outcome = assess(self.rules, history, ledger, told, Sight(), at)
        alerts.commit(outcome.incidents, outcome.rules, outcome.decisions, outcome.posts, at, outcome.recalled)
        for row in outbox.lease(at):
            outbox.record_sent(row, at, None, "", timedelta())
        return outcome

    @property
    def reasons(self) -> list[Reason]:
        alerts = AlertStore(self.database)
        told = alerts.told([incident.id for incident in alerts.incidents(MONDAY)])
        return [record.notification.reason for record in told]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        yield Archive(database, [])


def hour(number: int) -> datetime:
    return MONDAY + timedelta(hours=number, minutes=5)


def test_what_is_over_for_months_is_never_written_again(archive: Archive) -> None:
    archive.rules = [made("threshold", above=100)]
    days = 94
    counts = [10, 150, 10, 10] + [10] * (24 * days - 4)
    archive.save({"": counts[:5]}, hour(5))
    assert len(archive.cycle(hour(5)).incidents) == 1
    archive.save({"": counts}, hour(24 * days))
    archive.cycle(hour(24 * 88))
    for number in range(24 * 89, 24 * days, 5):
        assert archive.cycle(hour(number)) == Outcome(), number


def test_beside_what_is_open_for_months_nothing_old_is_found_again(archive: Archive) -> None:
    archive.rules = [made("threshold", for_each="Model", above=100)]
    days = 130
    opus, haiku = [150] * 24 * days, [10, 10, 150, 10] + [10] * (24 * days - 4)
    whole = {"opus": opus, "haiku": haiku, "": [a + b for a, b in zip(opus, haiku, strict=True)]}
    archive.save({name: values[:3] for name, values in whole.items()}, hour(3))
    assert len(archive.cycle(hour(3)).posts) == 1
    archive.save(whole, hour(24 * days))
    archive.cycle(hour(24 * days - 1))
    assert archive.cycle(hour(24 * days)) == Outcome()
    assert archive.reasons.count(Reason.FIRED) == 2


def test_a_budget_of_a_year_that_was_off_for_months_goes_on(archive: Archive) -> None:
    budget = made("budget", limit=1000, period="year")
    counts = [100] * 24 * 5
    archive.rules = [budget]
    archive.save({"": counts}, hour(24 * 5))
    assert len(archive.cycle(hour(24 * 5)).posts) == 1
    archive.rules = []
    assert len(archive.cycle(hour(24 * 5)).posts) == 1
    archive.rules = [budget]
    archive.save({"": counts + [0] * 24 * 115}, hour(24 * 120))
    assert len(archive.cycle(hour(24 * 120)).posts) == 1
    assert archive.reasons == [Reason.FIRED, Reason.CLOSED, Reason.FIRED]


def test_what_ended_while_nobody_watched_for_months_is_told_once(archive: Archive) -> None:
    archive.rules = [made("threshold", above=100)]
    counts = [10, 150, 150] + [10] * (24 * 120 - 3)
    archive.save({"": counts[:3]}, hour(3))
    archive.cycle(hour(3))
    archive.save({"": counts}, hour(24 * 120))
    assert len(archive.cycle(hour(24 * 120)).posts) == 1
    assert archive.reasons == [Reason.FIRED, Reason.RESOLVED]
    assert archive.cycle(hour(24 * 120)) == Outcome()
