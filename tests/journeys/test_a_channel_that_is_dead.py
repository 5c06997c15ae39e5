"""Through the real process: one of three channels is dead, throttled, gone or silenced; the others notice nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kills import receivers
from kills.hearing import MAILED, TARGETS, Heard
from kills.receivers import Ears
from tests.fakes.scripted_http import Answer, Request, Step
from tests.fakes.slack_api import TOKEN
from tests.fakes.smtp_server import Mail
from tests.journeys.office import SECRET, Office, job, opened
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.quickened import own_environment
from usage_watch.simulator import Runaway, Scenario

MIDNIGHT = datetime(2026, 11, 18, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RULE = "{id: by-model, kind: threshold, for_each: Model, above: {warning: 2_000, critical: 20_000}}"
OPUS, SONNET, GPT, SONAR = "claude-opus-4-8", "claude-sonnet-4-8", "gpt-5-5", "sonar-2"
MODELS = (OPUS, SONNET, GPT, SONAR)
NAMES = (*MODELS, *TARGETS)


def hour(number: float) -> datetime:
    return MIDNIGHT + timedelta(hours=number)


def use(model: str, start: int, end: int, credits_per_hour: int = 9_000) -> Runaway:
    return Runaway("priya.nair@example.com", model, hour(start), end - start, credits_per_hour)


STORY = (use(OPUS, 6, 38), use(SONNET, 9, 16), use(GPT, 20, 22), use(SONAR, 26, 40), use(SONAR, 30, 33, 15_000))
"""The second and third end while a channel is dead, the last begins then, and rises; the first goes on all the time."""


class Ops(receivers.Ops):
    """Slack, which can refuse."""

    refusal: Answer | None = None

    def respond(self, request: Request) -> Step:
        return self.refusal or super().respond(request)


class Pager(receivers.Pager):
    """A webhook, which can refuse."""

    refusal: Answer | None = None

    def respond(self, request: Request) -> Step:
        return self.refusal or super().respond(request)


@dataclass(frozen=True)
class Word:
    """One message that somebody got."""

    about: str
    """A model, or the channel that a meta-alert is about."""
    reason: str
    at: datetime
    text: str
    """How it begins."""


@dataclass
class House:
    """An office in which channels can be dead, and commands are given."""

    office: Office
    ears: Ears
    ops: Ops
    finance: receivers.Finance
    pager: Pager
    folder: Path

    def until(self, number: float) -> None:
        self.office.daemon.run_until(hour(number))

    def told(self, target: str) -> list[Word]:
        """All that a channel took, in its order."""
        texts = self._texts()
        return [_word(each, texts[each.id]) for each in self.ears.news if each.target == target]

    def news(self, target: str, since: float = 0) -> list[tuple[str, str]]:
        """What it is about, and why it is told."""
        return [(each.about, each.reason) for each in self.told(target) if each.at >= hour(since)]

    def run(self, *words: str) -> str:
        """A command beside the daemon, on its clock, that ends well."""
        command = [sys.executable, "-m", "usage_watch", "--config", str(self.folder / "rules.yaml"), *words]
        secrets = {"SLACK_TOKEN": TOKEN, "HOOK_SECRET": SECRET}
        environ = {**own_environment(), **secrets, STEPPED: str(self.folder / "clock")}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout

    def restart(self, rules: str) -> None:
        """Stop the daemon, and start it with other rules."""
        assert self.office.daemon.stop() == 0
        (self.folder / "rules.yaml").write_text(rules)
        self.office.start()

    def _texts(self) -> dict[str, str]:
        posts = [each.payload for each in self.ops.messages.values()]
        bodies = [(each.headers["webhook-id"], each.json) for each in self.pager.requests]
        return {
            **{post["metadata"]["event_payload"]["id"]: post["text"] for post in posts},
            **{mail.read["Message-ID"]: _beginning(mail) for mail in self.finance.mails},
            **{id: f"{body['incident']['labels']} {body['summary']}" for id, body in bodies},
        }


def _word(heard: Heard, text: str) -> Word:
    return Word(next((name for name in NAMES if name in text), "nothing"), heard.reason, heard.at, text)


def _beginning(mail: Mail) -> str:
    said = mail.read.get_body(("plain",))
    assert said is not None
    return "\n".join([mail.read["Subject"], *said.get_content().splitlines()[:3]])


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """The story, and a daemon that was just started."""
    trickle = job(hour(-48), 120, 100, "ana@example.com")  # what settles the hours
    scenario = Scenario(1, hour(-72), lag=None, quiet=True, runaways=(*STORY, trickle))
    ears = Ears(SteppedClock(folder / "clock").now, lambda what: None)
    ops, finance, pager = Ops(ears), receivers.Finance(ears), Pager(ears)
    with opened(
        folder, scenario, hour(5.1), RULE, backfill="2d", poll_every="1h", slack=ops, mail=finance, pager=pager
    ) as office:
        office.start()
        yield House(office, ears, ops, finance, pager, folder)
        assert office.daemon.stop() == 0
        assert len({(each.target, each.id) for each in ears.heard}) == len(ears.heard), "nothing twice"
        assert sorted(ears.greeted) == ["finance", "ops"]


# ---- dead for a day -------------------------------------------------------------------------------------------------

DEAD, BACK, END = 12, 36, 46
EARLIER, LATER = timedelta(minutes=5), timedelta(minutes=65)
"""A wake for a dead channel takes a poll along that is due in seconds: so what settles may be seen one poll later."""
NOTICED = timedelta(minutes=16)
"""At the longest: the wait for another attempt, and for another poll."""
MISSED = [(SONNET, "resolved"), (GPT, "fired_and_ended"), (OPUS, "reminder"), (SONAR, "fired")]
"""What is said when it is back: no more than one word about each."""
AFTERWARDS = [(OPUS, "resolved"), (SONAR, "resolved")]


@dataclass(frozen=True)
class Blow:
    """How a channel dies."""

    target: str
    die: Callable[[House], None]
    heal: Callable[[House], None]
    blocks: bool = False
    """It is known that nothing will help but a human."""


def refusing(target: str, answer: Answer, *, blocks: bool) -> Blow:
    def refuse(house: House, how: Answer | None = answer) -> None:
        getattr(house, target).refusal = how

    return Blow(target, refuse, lambda house: refuse(house, None), blocks)


BLOWS = {
    "nobody listens": Blow("finance", lambda it: it.finance.gate.refuse(), lambda it: it.finance.gate.open()),
    "503": refusing("ops", Answer(503), blocks=False),
    "404": refusing("pager", Answer(404), blocks=True),
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Word]]:
    """What each channel gets where none is dead."""
    with house(tmp_path_factory.mktemp("undisturbed")) as all_well:
        all_well.until(END)
        return {target: all_well.told(target) for target in TARGETS}


@pytest.mark.parametrize("blow", BLOWS.values(), ids=BLOWS)
def test_a_dead_channel_disturbs_no_other_and_hears_what_matters_when_it_is_back(
    tmp_path: Path, undisturbed: dict[str, list[Word]], blow: Blow
) -> None:
    dead = blow.target
    with house(tmp_path) as hit:
        hit.until(DEAD)
        blow.die(hit)
        hit.until(BACK)
        assert hit.told(dead) == [each for each in undisturbed[dead] if each.at < hour(DEAD)]
        blow.heal(hit)
        before = len(hit.ops.calls)
        hit.until(BACK + 2)
        calls = Counter(hit.ops.calls[before:])
        hit.until(END)
        for target in set(TARGETS) - {dead}:
            _alike(hit.told(target), undisturbed[target])
            _hears_of_it(hit.told(target), dead)
        _caught_up(hit, blow)
        if dead == "ops":
            assert calls == {"chat.postMessage": len(MISSED), "chat.update": 2}, "no pile of corrections"


def _alike(found: Sequence[Word], undisturbed: Sequence[Word]) -> None:
    """The same of each model, and at the same time."""
    for model in MODELS:
        here, there = ([each for each in words if each.about == model] for words in (found, undisturbed))
        assert [(each.reason, each.text) for each in here] == [(each.reason, each.text) for each in there]
        late = [one.at - other.at for one, other in zip(here, there, strict=True)]
        assert all(-EARLIER <= each <= LATER for each in late), late


def _hears_of_it(found: Sequence[Word], dead: str) -> None:
    """That a channel is dead, and that it is not any more; nothing else beside what is to be heard."""
    fired, resolved = (each for each in found if each.about not in MODELS)
    assert [(each.about, each.reason) for each in (fired, resolved)] == [(dead, "fired"), (dead, "resolved")]
    assert hour(DEAD) < fired.at < hour(BACK) < resolved.at <= hour(BACK) + NOTICED


def _caught_up(hit: House, blow: Blow) -> None:
    """Once it is back, what it missed: each conversation in its order, and each as it stands now."""
    words = [each for each in hit.told(blow.target) if each.at >= hour(BACK)]
    back, later = words[: len(MISSED)], words[len(MISSED) :]
    missed = [(about, _as(blow.target, reason)) for about, reason in MISSED]
    news = [(each.about, each.reason) for each in back]
    assert sorted(news) == sorted(missed)
    if blow.blocks:
        assert news[:2] == missed[:2]
    assert [(each.about, each.reason) for each in later] == AFTERWARDS
    assert all(each.at <= hour(BACK) + LATER for each in back)
    (risen,) = (each.text for each in back if each.about == SONAR)
    assert "24,000 credits in 1 h, over the critical limit" in risen


def _as(target: str, reason: str) -> str:
    """Mails do not name every reason."""
    return MAILED.get(reason, reason) if target == "finance" else reason


# ---- told to wait ---------------------------------------------------------------------------------------------------


def test_who_asks_for_an_hour_of_peace_gets_it_and_then_all_that_waited(tmp_path: Path) -> None:
    with house(tmp_path) as hit:
        hit.until(31)
        hit.pager.script.append(Answer(429, headers={"Retry-After": "3600"}))
        hit.until(32)
        for target in ("ops", "finance"):
            assert [each.at.hour for each in hit.told(target)[-2:]] == [7, 7], "the others are not throttled"
        asked = len(hit.pager.requests)
        hit.until(32.099)
        assert len(hit.pager.requests) == asked, "nothing before"
        assert _sent_at(hit.pager)[-1] == hour(31.1)
        hit.until(32.11)
        assert _sent_at(hit.pager)[asked:] == [hour(32.1)] * 2
        assert sorted(hit.news("pager", 31)) == [(OPUS, "reminder"), (SONAR, "escalated")]


def _sent_at(pager: Pager) -> list[datetime]:
    """When each attempt was made, whatever became of it."""
    return [datetime.fromtimestamp(int(each.headers["webhook-timestamp"]), UTC) for each in pager.requests]


# ---- gone, and back -------------------------------------------------------------------------------------------------


def test_a_channel_that_leaves_the_rules_and_comes_back_hears_what_still_matters(tmp_path: Path) -> None:
    with house(tmp_path) as hit:
        rules = (tmp_path / "rules.yaml").read_text()
        without = "".join(line for line in rules.splitlines(True) if "pager:" not in line).replace(", pager]", "]")
        hit.until(9)
        hit.pager.gate.refuse()
        hit.until(12)
        hit.restart(without)
        hit.pager.gate.open()
        hit.until(29)
        assert json.loads(hit.run("status", "--json"))["outbox"] == {"pager": {"undeliverable": 1}}
        assert hit.news("ops")[2:4] == hit.news("finance")[2:4] == [("pager", "fired"), ("pager", "resolved")]
        hit.restart(rules)
        hit.until(34)
        back = [(SONNET, "fired_and_ended"), (SONAR, "fired")]
        words = hit.news("pager")
        assert words[:3] == [(OPUS, "fired"), *back]
        assert sorted(words[3:]) == [(OPUS, "reminder"), (SONAR, "escalated")]
        assert json.loads(hit.run("status", "--json"))["outbox"] == {}


# ---- given up, and given another chance -----------------------------------------------------------------------------


def test_what_a_channel_refused_is_told_there_once_it_is_mended_and_tested(tmp_path: Path) -> None:
    with house(tmp_path) as hit:
        hit.until(9)
        hit.pager.refusal = Answer(400)
        hit.until(11)
        whole, least = hit.pager.requests[-2:]
        assert whole.headers["webhook-id"] == least.headers["webhook-id"]
        assert whole.json["facts"]
        assert not least.json["facts"]
        for target in ("ops", "finance"):
            assert hit.news(target)[2:] == [("pager", "fired")]
        hit.pager.refusal = None
        hit.until(12)
        assert hit.news("pager") == [(OPUS, "fired")], "it was given up"
        assert "1 message that did not arrive gets another chance" in hit.run("channels", "test", "pager")
        hit.until(14)
        assert hit.news("pager") == [(OPUS, "fired"), ("nothing", "fired"), (SONNET, "fired")]
        for target in ("ops", "finance"):
            assert hit.news(target)[2:] == [("pager", "fired")], "that it was mended is no news to who mended it"


# ---- silenced -------------------------------------------------------------------------------------------------------


def test_a_silent_night_ends_with_what_is_open_and_not_with_what_came_and_went(tmp_path: Path) -> None:
    evening, morning = hour(17).isoformat(), hour(29.5).isoformat()
    with house(tmp_path) as hit:
        hit.until(12)
        words = ("--from", evening, "--until", morning, "--reason", "the night", "--author", "kim")
        hit.run("silence", "add", "rule=by-model", *words)
        hit.until(29)
        for target in TARGETS:
            assert hit.news(target, 12) == [(SONNET, "resolved")], "an end is told all the same"
        incident = next(each["id"] for each in json.loads(hit.run("alerts", "--json")) if GPT in str(each["labels"]))
        held = json.loads(hit.run("alerts", "show", incident, "--json"))
        assert [each["told"] for each in held["decisions"]] == [False] * len(held["decisions"])
        assert {each["why"].split(":")[0] for each in held["decisions"]} == {"Silenced by kim (the night)"}
        hit.until(30)
        for target in TARGETS:
            in_the_morning = [each for each in hit.told(target) if each.at >= hour(29)]
            reminder = (OPUS, _as(target, "reminder"))
            assert [(each.about, each.reason) for each in in_the_morning] == [reminder, (SONAR, "fired")]
            assert {each.at.replace(second=0) for each in in_the_morning} == {hour(29.5)}
