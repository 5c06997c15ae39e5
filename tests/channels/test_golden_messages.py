"""What each channel sends, to the byte, for each reason.

After a wanted change run with `UPDATE_GOLDEN=1` in the environment, and read the difference.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.channels.golden import GOLDEN, MACHINES, PEOPLE, check
from tests.channels.samples import (
    DAYS,
    EVIDENCE,
    EXPLAINED,
    HOUR,
    HOURS,
    NOON,
    PAGE,
    blind,
    burning,
    days_later,
    foreseen,
    frozen,
    greeting,
    member_day,
    message,
    notice,
)
from tests.rules.making import BERLIN_FILE, made
from usage_watch.cli.sampling import samples
from usage_watch.core.compose import notice as noticed
from usage_watch.core.message import Message, Notice, Reason
from usage_watch.core.money import Price
from usage_watch.core.pricing import priced
from usage_watch.core.template import Style, styled

MODEL = {"Model": "claude-opus-4-8"}
ANA, BEN, CLEO = (
    member_day(f"{name}@example.com", used) for name, used in [("ana", 21_400), ("ben", 2_900), ("cleo", 4_100)]
)
ANA_OVER, BEN_OVER = (
    member_day(f"{name}@example.com", used, Reason.RESOLVED) for name, used in [("ana", 21_400), ("ben", 2_900)]
)

ANA_STILL, CLEO_STILL = (replace(each, reason=Reason.REMINDER) for each in (ANA, CLEO))

ANA_BACK, BEN_BACK = (
    member_day(
        f"{name}@example.com",
        used,
        Reason.RETRACTED,
        note=f"The source revised it: {used:,} credits turned out to be 130 credits.",
        ended_at=NOON + 8 * HOUR,
    )
    for name, used in [("ana", 21_400), ("ben", 2_900)]
)
UNSURE = notice(labels=MODEL, looks_over=True)
PRICE = Price(10, "USD")
WORDS = Style("$value $unit in $window, against $limit. If this is the nightly job, stop it: it loops since $since.")


def in_own_words(one: Notice) -> Message:
    """With a title and a text that the rules file gives, filled in."""
    named = replace(one, rule=replace(one.rule, title="Credits of $series"))
    return styled(message(named), WORDS, lambda rule, error: pytest.fail(f"{rule}: {error!r}"))


ONE: dict[str, Message] = {
    **{reason.value: message(notice(reason, labels=MODEL)) for reason in Reason},
    "reminder": days_later(notice(Reason.REMINDER, labels=MODEL)),
    "updated": message(replace(UNSURE, reason=Reason.UPDATED), standing=(UNSURE,)),
    "own-words": in_own_words(notice(labels=MODEL)),
    "priced": priced(message(notice(labels=MODEL)), PRICE),
    "priced-resolved": priced(message(notice(Reason.RESOLVED)), PRICE),
    "explained": message(notice(evidence=EXPLAINED)),
    "explained-resolved": message(notice(Reason.RESOLVED, evidence=EXPLAINED)),
    "budget-forecast": message(foreseen()),
    "budget-forecast-closed": message(
        foreseen(
            Reason.CLOSED,
            note="The period is over: 431,000 of 400,000 credits spent (108 %).",
            ended_at=NOON + timedelta(days=22),
        ),
        decided_at=NOON + timedelta(days=23),
        data_until=NOON + timedelta(days=23) - HOUR,
    ),
    "budget-burn": message(burning()),
    "meta-fired": message(blind(), data_until=None),
    "meta-reminder": days_later(blind(Reason.REMINDER), data_until=None),
    "meta-resolved": message(blind(Reason.RESOLVED), data_until=None),
    "linked": message(notice(labels=MODEL), page=PAGE),
    "linked-resolved": message(notice(Reason.RESOLVED, labels=MODEL), page=f"{PAGE}/usage/"),
    "linked-meta": message(blind(), data_until=None, page=PAGE),
}
SEVERAL: dict[str, Message] = {
    "several-fired": message(ANA, BEN, CLEO),
    "several-escalated": message(
        member_day("ana@example.com", 21_400, Reason.ESCALATED), member_day("ben@example.com", 30_100, Reason.ESCALATED)
    ),
    "several-resolved": message(ANA_OVER, BEN_OVER),
    "several-closed": message(*(member_day(f"{n}@example.com", 3_000, Reason.CLOSED) for n in "ab")),
    "several-reminded": days_later(ANA_STILL, replace(BEN, reason=Reason.REMINDER), CLEO_STILL),
    "some-new": days_later(BEN, ANA_STILL, CLEO_STILL),
    "some-ended": message(ANA_OVER, standing=(ANA_OVER, BEN, CLEO)),
    "several-came-and-went": message(*(replace(each, reason=Reason.FIRED_AND_ENDED) for each in (ANA_OVER, BEN_OVER))),
    "several-taken-back": message(ANA_BACK, BEN_BACK),
    "some-taken-back": message(ANA_BACK, standing=(ANA_BACK, BEN_OVER, replace(CLEO, looks_over=True))),
    "day-closed": message(member_day("ana@example.com", 21_400, Reason.CLOSED, ended_at=NOON + 8 * HOUR)),
    "day-came-and-went": message(replace(ANA_OVER, reason=Reason.FIRED_AND_ENDED), decided_at=NOON + 70 * HOUR),
    "several-explained": message(
        *(
            replace(each, evidence=replace(each.evidence, why=f"+{n},400 credits against the usual (+{n}10 %): {who}"))
            for each, n, who in [(ANA, 19, "98 % claude-opus-4-8"), (BEN, 2, "broad-based, 4 of 5 models up")]
        )
    ),
    "meta-escalated": message(blind(Reason.ESCALATED), data_until=None),
    "meta-came-and-went": message(blind(Reason.FIRED_AND_ENDED), data_until=None),
    "meta-several": message(frozen("credit_usage 1h"), frozen("query_volume 1d"), data_until=None),
    "meta-closed": message(blind(Reason.CLOSED), data_until=None),
    "many": message(*(member_day(f"member{n:02}@example.com", 2_100 + 100 * n) for n in range(32))),
    "test": message(test=True),
    "hello": greeting(),
    "linked-several": message(*(member_day(f"{n}@example.com", 3_000) for n in "abcd"), page=PAGE),
    "linked-several-over": message(ANA_OVER, BEN_OVER, page=PAGE),
    "linked-meta-several": message(frozen("credit_usage 1h"), frozen("query_volume 1d"), data_until=None, page=PAGE),
    "linked-test": message(test=True, page=PAGE),
    "linked-hello": greeting(page=PAGE),
}
DRAWN: dict[str, Message] = {
    **{
        f"drawn-{reason.value}": message(notice(reason, labels=MODEL, evidence=replace(EVIDENCE, series=HOURS)))
        for reason in (Reason.FIRED, Reason.RESOLVED, Reason.RETRACTED)
    },
    "drawn-day": message(replace(ANA, evidence=replace(ANA.evidence, series=DAYS))),
    "drawn-several": message(*(replace(each, evidence=replace(each.evidence, series=DAYS)) for each in (ANA, BEN))),
}
ALL = ONE | SEVERAL | DRAWN


def of_kind(kind: str, **fields: object) -> dict[Reason, Message]:
    """What a rule of a kind says of its highest level, for each reason; ended three hours after it began."""
    now = NOON + 2 * HOUR
    highest = samples(made(kind, **fields), BERLIN_FILE, now)[-1]
    said = {}
    for reason in Reason:
        retracted = reason is Reason.RETRACTED
        why = "The source revised it." if retracted else "Its rule was changed." if reason is Reason.CLOSED else None
        ended_at = highest.started_at + 3 * HOUR if reason.ending else None
        stood = replace(highest, ended_at=ended_at, closed=why, retracted=retracted)
        decided_at = max(now, ended_at or now) + timedelta(minutes=70)
        one = noticed(stood, reason)
        said[reason] = message(one, decided_at=decided_at, data_until=decided_at - timedelta(minutes=70))
    return said


KINDS: dict[str, dict[Reason, Message]] = {
    "threshold": of_kind("threshold", for_each="Model", window="3h", above={"warning": 500, "critical": 9_000}),
    "budget": of_kind("budget", limit=20_000, where={"Credit Source": "paid"}),
    "zscore": of_kind("zscore", for_each="Model"),
    "zscore-rolling": of_kind("zscore", method="robust"),
    "durations": of_kind("threshold", dataset="task_durations", statistic="p95", above={"warning": "10m"}),
    "absence": of_kind("absence", quiet_for="2d", severity="critical"),
    "novelty": of_kind("novelty", dataset="connectors", for_each="Connector", expected=["Notion*"]),
    "meta": {reason: message(blind(reason), data_until=None) for reason in Reason},
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("channel", PEOPLE)
def test_people_are_told_as_they_were(channel: str, name: str) -> None:
    check(f"{channel}/{name}", PEOPLE[channel](ALL[name]))


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("channel", MACHINES)
def test_machines_are_told_as_they_were(channel: str, name: str) -> None:
    check(f"{channel}/{name}", MACHINES[channel](ALL[name]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channel", [*PEOPLE, *MACHINES])
def test_every_kind_of_rule_is_told_as_it_was_for_every_reason(channel: str, kind: str) -> None:
    said = {reason: (PEOPLE | MACHINES)[channel](one) for reason, one in KINDS[kind].items()}
    suffixes = said[Reason.FIRED]
    check(
        f"kinds/{kind}.{channel}",
        {suffix: "".join(f"=== {reason}\n{said[reason][suffix]}\n" for reason in Reason) for suffix in suffixes},
    )


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{channel}/{name}" for channel in PEOPLE for name in ALL}
    wanted |= {f"{channel}/{name}" for channel in MACHINES for name in ONE}
    wanted |= {f"kinds/{kind}.{channel}" for kind in KINDS for channel in PEOPLE | MACHINES}
    folders = [*PEOPLE, *MACHINES, "kinds"]
    found = {f"{folder}/{path.name.rpartition('.')[0]}" for folder in folders for path in (GOLDEN / folder).iterdir()}
    assert found == wanted
