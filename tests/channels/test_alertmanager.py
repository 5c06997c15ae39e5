"""What Alertmanager is sent: labels by which every watcher means the same alert, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.channels.inert import check_alert
from tests.channels.samples import EVIDENCE, HOUR, NOON, PAGE, delivery, hostile, member_day, message, notice
from tests.fakes.scripted_http import Answer, Reset, Step
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.channels import AlertmanagerSettings, AnyChannel
from usage_watch.channels.alertmanager import AlertmanagerSender
from usage_watch.channels.alertmanager.body import alerts_body, stands_at
from usage_watch.channels.base import Attempt, Verdict
from usage_watch.core.message import Delivery, Notice, Reason, Severity
from usage_watch.errors import SecretError
from usage_watch.secret import SecretRef, complaints

MODEL = {"Model": "claude-opus-4-8"}
SENT_AT = NOON + 2 * HOUR + timedelta(minutes=10, seconds=3)
IN_20_MIN, IN_10_MIN = "2026-11-22T14:30:03Z", "2026-11-22T14:20:03Z"


def alerts(said: Delivery, **how: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(alerts_body(said, **how))
    for each in found:
        check_alert(each)
    return found


def alert(news: Notice, *, ref: str | None = None, apart: bool = False, **changes: Any) -> dict[str, Any]:
    """Of a message that is sent at ten past two."""
    said = delivery(message(news, decided_at=NOON), ref=ref, sent_at=SENT_AT, **changes)
    [only] = alerts(said, apart=apart)
    return only


def labels(**of: Any) -> dict[str, str]:
    found: dict[str, str] = alert(notice(**of))["labels"]
    return found


# ---- labels ----------------------------------------------------------------------------------------------------------

OWN = {
    "alertname": "hourly-credits",
    "severity": "critical",
    "kind": "threshold",
    "dataset": "credit_usage",
    "source": "usage_watch",
}


def test_the_labels_say_what_it_is_and_nothing_of_who_watches() -> None:
    assert labels() == OWN
    assert labels(labels=MODEL, part="forecast") == {**OWN, "part": "forecast", "model": "claude-opus-4-8"}


def test_nothing_that_differs_between_two_watchers_or_changes_while_it_goes_on_is_a_label() -> None:
    moved = notice(
        labels=MODEL,
        incident_id="inc_other",
        sequence=7,
        started_at=NOON - HOUR,
        evidence=replace(EVIDENCE, value=99_999.0, summary="99,999 credits in 3 h"),
    )
    assert alert(moved)["labels"] == labels(labels=MODEL)


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ({"Model": "a"}, {"model": "a"}),
        ({"Credit Source": "a"}, {"credit_source": "a"}),
        ({"member": "ana@example.com"}, {"member": "ana@example.com"}),
        ({"2nd  axis!": "a"}, {"series_2nd_axis": "a"}),
        ({"Modèle": "a"}, {"mod_le": "a"}),
        ({"模型": "a"}, {"series": "a"}),
        ({"": "a"}, {"series": "a"}),
        ({"__name__": "a"}, {"name": "a"}),
        # Ours are ours.
        ({"Severity": "a"}, {"series_severity": "a"}),
        ({"Source": "a", "Incident": "b"}, {"series_source": "a", "series_incident": "b"}),
        # Never one for two.
        ({"Model": "a", "model": "b", "MODEL": "c"}, {"model": "c", "model_": "a", "model__": "b"}),
        # What is left out would be another alert.
        ({"Model": ""}, {"model": "(blank)"}),
        ({"Model": "\u200b\x1b\ud800"}, {"model": "(blank)"}),
        ({"Model": 'a "b"\\ \n c'}, {"model": 'a "b"\\ c'}),
    ],
)
def test_every_series_has_a_legal_name_of_its_own(written: Mapping[str, str], named: Mapping[str, str]) -> None:
    assert {name: value for name, value in labels(labels=written).items() if name not in OWN} == named


def test_two_long_names_are_not_one() -> None:
    one, other = (labels(labels={"Skill": "x" * 200 + end})["skill"] for end in "ab")
    assert one != other
    assert len(one) == len(other) == 130
    assert one == labels(labels={"Skill": "x" * 200 + "a"})["skill"]


def test_the_least_of_it_is_the_same_alert() -> None:
    said = notice(labels={"Skill": "x" * 500}, text="Ask Ana. " * 90)
    whole, least = alert(said), alert(said, minimal=True)
    assert whole["labels"] == least["labels"]
    assert whole["annotations"].keys() - least["annotations"].keys() == {"description", "runbook_url"}


def test_where_names_are_hidden_the_incident_tells_series_apart() -> None:
    ana, ben = (member_day(f"{name}@example.com", 3_000) for name in ("ana", "ben"))
    hidden = [replace(each, labels={"member": "a member"}) for each in (ana, ben)]
    assert alert(hidden[0])["labels"] == alert(hidden[1])["labels"]
    assert [alert(each, apart=True)["labels"]["incident"] for each in hidden] == ["inc_ana", "inc_ben"]
    assert "incident" not in alert(notice(), apart=True)["labels"], "a total has no names"


# ---- its page --------------------------------------------------------------------------------------------------------


def test_its_source_is_its_page_where_there_is_one() -> None:
    linked, unlinked, least = (
        alerts(delivery(message(page=page), minimal=minimal))[0]
        for page, minimal in [(PAGE, False), (None, False), (PAGE, True)]
    )
    assert linked == {**unlinked, "generatorURL": f"{PAGE}/alert?id=inc_4f2a9c81d07be6a35c11"}
    assert "generatorURL" not in least


# ---- annotations -----------------------------------------------------------------------------------------------------


def test_the_annotations_say_how_it_stands() -> None:
    said = alert(notice(labels=MODEL, text="Ask Ana."))["annotations"]
    assert said == {
        "title": "hourly-credits",
        "summary": "12,345 credits in 3 h, over the critical limit of 10,000",
        "description": "Ask Ana.",
        "value": "12,345",
        "limit": "10,000",
        "unit": "credits",
        "since": "2026-11-22T12:00:00Z",
        "runbook_url": "https://wiki.example.com/credits?a=1&b=2",
        "incident": "inc_4f2a9c81d07be6a35c11",
    }


@pytest.mark.parametrize("reason", [Reason.ESCALATED, Reason.REMINDER, Reason.UPDATED])
def test_whatever_is_said_of_it_while_it_goes_on_is_the_same(reason: Reason) -> None:
    assert alert(notice(reason)) == alert(notice())


# ---- when it ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "ends_at"),
    [
        (notice(), IN_20_MIN),
        (notice(Reason.ESCALATED), IN_20_MIN),
        (notice(Reason.UPDATED), IN_20_MIN),
        (notice(Reason.UPDATED, ended_at=NOON + HOUR), "2026-11-22T13:00:00Z"),
        (notice(Reason.RESOLVED, ended_at=NOON + HOUR), "2026-11-22T13:00:00Z"),
        (notice(Reason.RETRACTED, ended_at=NOON + HOUR), "2026-11-22T13:00:00Z"),
        (notice(Reason.CLOSED, ended_at=NOON), "2026-11-22T12:00:00Z"),
        # Neither before its start nor after now, whatever the clocks say.
        (notice(Reason.CLOSED, ended_at=NOON - HOUR), "2026-11-22T12:00:00Z"),
        (notice(Reason.RESOLVED, ended_at=NOON + 9 * HOUR), "2026-11-22T14:10:03Z"),
        (notice(Reason.RESOLVED, ended_at=None), "2026-11-22T14:10:03Z"),
        # Somebody is to hear of it first.
        (notice(Reason.FIRED_AND_ENDED, ended_at=NOON + HOUR), IN_10_MIN),
    ],
)
def test_it_ends_when_it_is_over_or_nobody_says_again_that_it_is_not(said: Notice, ends_at: str) -> None:
    found = alert(said)
    assert (found["startsAt"], found["endsAt"]) == ("2026-11-22T12:00:00Z", ends_at)


def test_a_test_is_over_soon() -> None:
    [found] = alerts(delivery(message(test=True), sent_at=SENT_AT))
    assert found["endsAt"] == IN_10_MIN


@pytest.mark.parametrize(
    ("reason", "ref", "told", "stands"),
    [
        (Reason.FIRED, None, ["critical-"], "critical"),
        (Reason.ESCALATED, "warning", ["warning+", "critical-"], "critical"),
        (Reason.ESCALATED, "critical", ["critical-"], "critical"),
        (Reason.ESCALATED, None, ["critical-"], "critical"),
        (Reason.ESCALATED, "C0USAGE/1.2", ["critical-"], "critical"),  # it was a channel of Slack's
        (Reason.RESOLVED, "critical", ["critical+"], "critical"),
        (Reason.RESOLVED, None, ["critical+"], "critical"),
        # It rose, and a silence of ours held that back; or the higher level was revised away.
        (Reason.RESOLVED, "warning", ["warning+"], "warning"),
        (Reason.RETRACTED, "info", ["info+"], "info"),
        # Reopened, at another level: of the one before it was said that it is over.
        (Reason.FIRED, "warning", ["critical-"], "critical"),
        (Reason.FIRED_AND_ENDED, "warning", ["critical-"], "critical"),
    ],
)
def test_it_ends_at_the_severity_at_which_it_stood(
    reason: Reason, ref: str | None, told: list[str], stands: str
) -> None:
    ends: dict[str, Any] = {"ended_at": NOON + HOUR} if reason.ending else {}
    said = delivery(message(notice(reason, **ends)), ref=ref, sent_at=SENT_AT)
    now = f"{SENT_AT:%FT%TZ}"
    found = [f"{each['labels']['severity']}{'+' if each['endsAt'] <= now else '-'}" for each in alerts(said)]
    assert (found, stands_at(said)) == (told, stands)


# ---- texts from outside ----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.text(max_size=300), st.sampled_from(Reason), st.booleans())
def test_whatever_it_is_called_alertmanager_takes_it(text: str, reason: Reason, minimal: bool) -> None:
    one = hostile(text, reason)
    said = replace(one, news=(replace(one.news[0], text=text, part=text, labels={text: text, text + "2": text}),))
    for each in alerts(delivery(said, minimal=minimal), apart=True):
        assert len(json.dumps(each, ensure_ascii=False).encode()) < 8_000


# ---- a cluster -------------------------------------------------------------------------------------------------------

OK, DOWN, WRONG, LATER = Answer(200), Answer(503), Answer(404), Answer(429, headers={"Retry-After": "7"})


@pytest.fixture
def cluster() -> Iterator[list[WebhookReceiver]]:
    with ExitStack() as stack:
        yield [stack.enter_context(WebhookReceiver()) for _ in range(3)]


def said_to(cluster: list[WebhookReceiver], *steps: Step) -> Attempt:
    for receiver, step in zip(cluster, steps, strict=True):
        receiver.script.append(step)
    with closing(AlertmanagerSender([each.url("/prefix/") for each in cluster])) as sender:
        return sender.send(delivery())


def test_each_member_of_a_cluster_is_told(cluster: list[WebhookReceiver]) -> None:
    assert said_to(cluster, OK, OK, OK) == Attempt(Verdict.SENT, ref="critical")
    assert [[each.path for each in receiver.requests] for receiver in cluster] == [["/prefix/api/v2/alerts"]] * 3
    assert len({receiver.requests[0].body for receiver in cluster}) == 1


@pytest.mark.parametrize(
    ("steps", "verdict", "detail"),
    [
        ((DOWN, OK, OK), Verdict.SENT, "Alertmanager 1 of 3 answered 503: a fault on its side."),
        (
            (WRONG, DOWN, OK),
            Verdict.SENT,
            "Alertmanager 1 of 3 answered 404: nobody listens there (any more); check the URL. "
            "Alertmanager 2 of 3 answered 503: a fault on its side.",
        ),
        ((DOWN, WRONG, WRONG), Verdict.SERVER, None),
        ((WRONG, WRONG, WRONG), Verdict.CONFIGURATION, None),
        ((WRONG, Reset(), DOWN), Verdict.AMBIGUOUS, None),
        ((Answer(400), WRONG, Answer(400)), Verdict.REJECTED, None),
        ((LATER, DOWN, WRONG), Verdict.THROTTLED, None),
    ],
)
def test_it_is_sent_where_any_of_them_took_it(
    cluster: list[WebhookReceiver], steps: tuple[Step, ...], verdict: Verdict, detail: str | None
) -> None:
    attempt = said_to(cluster, *steps)
    assert attempt.verdict is verdict
    assert detail is None or attempt.detail == detail
    assert (attempt.ref is not None) == (verdict is Verdict.SENT)
    assert (attempt.retry_after is not None) == (verdict is Verdict.THROTTLED)
    assert all(len(receiver.requests) == 1 for receiver in cluster)


def test_of_many_that_fail_two_are_named(cluster: list[WebhookReceiver]) -> None:
    assert said_to(cluster, DOWN, DOWN, DOWN).detail == (
        "Alertmanager 1 of 3 answered 503: a fault on its side. "
        "Alertmanager 2 of 3 answered 503: a fault on its side. 1 more failed."
    )


def test_several_incidents_are_several_alerts() -> None:
    news = (member_day("ana@example.com", 3_000), member_day("ben@example.com", 21_000))
    found = alerts(delivery(message(*news)))
    assert [(each["labels"]["member"], each["labels"]["severity"]) for each in found] == [
        ("ana@example.com", Severity.WARNING),
        ("ben@example.com", Severity.CRITICAL),
    ]


# ---- settings --------------------------------------------------------------------------------------------------------

ANY: TypeAdapter[AlertmanagerSettings] = TypeAdapter(AnyChannel)


def written(**more: Any) -> AlertmanagerSettings:
    return ANY.validate_python({"kind": "alertmanager", "url": "http://10.0.0.5:9093", **more})


@pytest.mark.parametrize("urls", [[], ["https://a.example.com"] * 9])
def test_a_cluster_has_one_to_eight_members(urls: list[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        written(url=urls)
    assert [said for _, said in complaints(refused.value)] == ["write 1 to 8 URLs, one for each member of the cluster"]


@pytest.mark.parametrize("url", ["http://alertmanager:9093", ["https://a.example.com", "http://b.example.com"]])
def test_plain_http_goes_only_to_private_addresses(url: object) -> None:
    with pytest.raises(ValidationError, match="plain http"):
        written(url=url)


def test_its_authorization_is_a_header_and_nothing_else(cluster: list[WebhookReceiver]) -> None:
    settings = written(url=[cluster[0].url(), cluster[1].url()], authorization={"env": "TOKEN"})
    cluster[0].script.append(Answer(401, "Bearer tok-123", {"Retry-After": "Bearer tok-123"}))
    with closing(settings.connect({"TOKEN": "Bearer tok-123"})) as sender:
        attempt = sender.send(delivery())
        assert sender.about_repeats(attempt).endswith("twice.")
    assert [each.requests[0].headers.get("authorization") for each in cluster[:2]] == ["Bearer tok-123"] * 2
    assert attempt.verdict is Verdict.SENT
    assert "tok-123" not in repr((settings, sender, attempt))


def test_without_it_there_is_no_such_header(cluster: list[WebhookReceiver]) -> None:
    with closing(written(url=cluster[0].url()).connect({})) as sender:
        sender.send(delivery())
    assert "authorization" not in cluster[0].requests[0].headers


@pytest.mark.parametrize(("environ", "why"), [({}, "is not set"), ({"TOKEN": "Bearer ключ"}, "beyond ASCII")])
def test_an_authorization_that_is_none_is_said_in_words(environ: dict[str, str], why: str) -> None:
    settings = AlertmanagerSettings(kind="alertmanager", url="http://10.0.0.5", authorization=SecretRef(env="TOKEN"))
    with pytest.raises(SecretError, match=f"env TOKEN .*{why}"):
        settings.connect(environ)


@pytest.mark.parametrize(("members", "apart"), [("full", False), ("initials", True), ("hidden", True)])
def test_a_channel_that_hides_names_tells_series_apart(
    cluster: list[WebhookReceiver], members: str, apart: bool
) -> None:
    with closing(written(url=cluster[0].url(), members=members).connect({})) as sender:
        sender.send(delivery(message(notice(labels=MODEL))))
    assert ("incident" in cluster[0].requests[0].json[0]["labels"]) is apart
