"""The picture in a message: in a mail, in Slack, and what stands in its place where there can be none."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from tests.channels.samples import DAYS, EVIDENCE, HOURS, delivery, hostile, member_day, message, notice
from tests.fakes.slack_api import TOKEN, Posted, SlackApi, payload_fault, refusal
from usage_watch.channels.base import Verdict
from usage_watch.channels.email import picture
from usage_watch.channels.email.mail import Mailbox, mail
from usage_watch.channels.slack import SlackApp, SlackHook
from usage_watch.core.message import Delivery, Drawn, Line, Message, Notice, Reason, Severity

MAILBOX = Mailbox("usage-watch@example.com", ("ana@example.com",))
ROW = "310 ▁▁▁▁▁▁▁▁▁▁▁▁▁▂▂▃▃▃▃▃▃▅▆█ 12,345 credits in 3 h"
BROKEN = replace(HOURS, values=tuple(None if place in (20, 21) else value for place, value in enumerate(HOURS.values)))


def drawn(reason: Reason = Reason.FIRED, series: Drawn = HOURS, **changes: Any) -> Notice:
    return notice(reason, evidence=replace(EVIDENCE, series=series), **changes)


def said(*news: Notice) -> Message:
    return message(*(news or (drawn(),)))


# ---- mail ------------------------------------------------------------------------------------------------------------


def painted(svg: str) -> bytes:
    return b"\x89PNG " + svg[:4].encode()


def read(one: Delivery, paint: Any = painted) -> EmailMessage:
    raw, _ = mail(one, MAILBOX, paint)
    found = message_from_bytes(raw, policy=default)
    assert isinstance(found, EmailMessage)
    return found


def pages(one: EmailMessage) -> list[str]:
    return [part.get_content() for part in one.walk() if part.get_content_maintype() == "text"]


def test_a_mail_carries_its_picture_with_it() -> None:
    found = read(delivery(said()))
    kinds = [part.get_content_type() for part in found.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    image = [*found.walk()][-1]
    assert image.get_content() == b"\x89PNG <svg"
    assert (image["Content-ID"], image.get_content_disposition()) == ("<chart.ntf_5e6f7a8b9c0d@example.com>", "inline")
    text, html = pages(found)
    assert 'src="cid:chart.ntf_5e6f7a8b9c0d@example.com"' in html
    assert f'alt="24 h to 14:00: {ROW}"' in html  # read where pictures are not shown
    assert f"24 h to 14:00        {ROW}\r\n" in text


def test_without_a_painter_both_parts_have_the_row() -> None:
    found = read(delivery(said()), lambda svg: None)
    assert [part.get_content_type() for part in found.walk()][1:] == ["text/plain", "text/html"]
    assert all(ROW in page for page in pages(found))
    assert "<img" not in pages(found)[1]


@pytest.mark.parametrize(
    "one",
    [
        delivery(message()),
        delivery(said(drawn(), drawn(labels={"Model": "a"}))),
        delivery(said(drawn(Reason.RETRACTED))),
        delivery(said(), minimal=True),
    ],
)
def test_of_several_and_of_what_did_not_happen_there_is_no_picture(one: Delivery) -> None:
    found = read(one)
    assert "image/png" not in [part.get_content_type() for part in found.walk()]
    assert not any("▁" in page for page in pages(found))


def test_another_attempt_is_the_same_mail_to_the_byte() -> None:
    one = delivery(said())
    assert mail(one, MAILBOX, painted) == mail(replace(one, attempt=2), MAILBOX, painted)


def test_a_picture_is_made_by_resvg_with_letters_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resvg_py", reason="needs the extra `png`")
    svgs: list[str] = []

    def kept(svg: str) -> None:
        svgs.append(svg)

    mail(delivery(said()), MAILBOX, kept)
    whole = picture.png(svgs[0])
    assert whole is not None
    assert whole.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", whole[16:24]) == (1200, 480)
    wordless = picture.png(svgs[0].replace("<text ", "<g ").replace("</text>", "</g>"))
    assert wordless is not None
    assert len(whole) > len(wordless) + 2_000  # letters are there
    assert picture.png("no picture at all") is None
    monkeypatch.setattr(picture, "FONT", Path("/nowhere.ttf"))
    assert picture.png(svgs[0]) is None


# ---- Slack -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def slack() -> Iterator[SlackApi]:
    with SlackApi() as fake:
        yield fake


def app(slack: SlackApi) -> SlackApp:
    return SlackApp(TOKEN, "#usage", base_url=slack.base_url)


def charts(payload: dict[str, Any]) -> list[dict[str, Any]]:
    return [block for block in payload.get("blocks", []) if block["type"] == "data_visualization"]


def first(slack: SlackApi) -> Posted:
    return next(iter(slack.messages.values()))


def test_the_first_message_has_a_chart_and_no_row(slack: SlackApi) -> None:
    assert app(slack).send(delivery(said())).verdict is Verdict.SENT
    (block,) = charts(first(slack).payload)
    assert block["title"] == "credits in 3 h"
    lines = {series["name"]: [point["value"] for point in series["data"]] for series in block["chart"]["series"]}
    assert list(lines) == ["credits in 3 h", "warning 5,000", "critical 10,000"]
    assert lines["credits in 3 h"] == list(HOURS.values[-20:])
    assert lines["critical 10,000"] == [10_000] * 20
    assert block["chart"]["axis_config"]["categories"][::19] == ["19:00", "14:00"]
    assert "▁" not in str(first(slack).payload)


def test_an_update_keeps_the_chart_and_a_reply_says_it_in_a_row(slack: SlackApi) -> None:
    sender = app(slack)
    ref = sender.send(delivery(said())).ref
    assert sender.send(delivery(said(drawn(Reason.RESOLVED)), ref=ref)).verdict is Verdict.SENT
    parent, reply = slack.messages.values()
    assert len(charts(parent.edits[0])) == 1
    assert not charts(reply.payload)
    assert ROW in str(reply.payload)


def test_several_have_no_chart(slack: SlackApi) -> None:
    app(slack).send(delivery(said(drawn(), drawn(labels={"Model": "a"}))))
    assert not charts(first(slack).payload)


def test_the_least_has_no_chart(slack: SlackApi) -> None:
    app(slack).send(delivery(said(), minimal=True))
    assert "blocks" not in first(slack).payload


def test_a_workspace_that_knows_no_charts_gets_a_row_at_once_and_ever_after(slack: SlackApi) -> None:
    slack.charts = False
    sender = app(slack)
    attempt = sender.send(delivery(said()))
    assert (attempt.verdict, attempt.detail) == (Verdict.SENT, "")
    assert ROW in str(first(slack).payload)
    sender.send(delivery(said(drawn(Reason.RESOLVED)), ref=attempt.ref))
    assert slack.calls == ["chat.postMessage"] * 2 + ["chat.update", "chat.postMessage"]


def test_what_is_refused_without_its_chart_too_says_nothing_of_charts(slack: SlackApi) -> None:
    slack.script.extend([refusal("invalid_blocks")] * 2)
    sender = app(slack)
    attempt = sender.send(delivery(said()))
    assert (attempt.verdict, attempt.detail) == (Verdict.REJECTED, "Slack refuses this message (invalid_blocks).")
    sender.send(delivery(said()))
    assert len(charts(first(slack).payload)) == 1


def test_what_is_refused_for_something_else_is_not_said_again(slack: SlackApi) -> None:
    slack.script.append(refusal("msg_too_long"))
    assert app(slack).send(delivery(said())).verdict is Verdict.REJECTED
    assert len(slack.calls) == 1


def test_a_webhook_draws_and_learns_too(slack: SlackApi) -> None:
    sender = SlackHook(slack.hook_url)
    assert sender.send(delivery(said())).verdict is Verdict.SENT
    slack.charts = False
    assert [sender.send(delivery(said())).verdict for _ in range(2)] == [Verdict.SENT] * 2
    assert [len(charts(request.json)) for request in slack.requests] == [1, 1, 0, 0]
    assert ROW in str(slack.requests[-1].json)


USUAL = replace(HOURS, low=tuple([1000.0] * 24), high=tuple([4000.0] * 24), lines=(Line(Severity.CRITICAL, 10_000.0),))
GAP = (*[1.0] * 23, None)
SPENT = replace(HOURS, what="credits spent", step=11 * 3600)


@pytest.mark.parametrize(
    ("one", "names", "labels"),
    [
        (drawn(series=USUAL), ["credits in 3 h", "critical 10,000", "usual from", "usual to"], ["19:00", "14:00"]),
        (drawn(series=replace(USUAL, low=GAP, high=GAP)), ["credits in 3 h", "critical 10,000"], None),
        (drawn(series=BROKEN), None, ["17:00", "14:00"]),
        (drawn(series=SPENT), None, ["13 Nov 21:00", "22 Nov 14:00"]),
        (
            member_day("ana@example.com", 21_400, evidence=replace(EVIDENCE, series=DAYS, bucket="1d", limit=2e4)),
            ["credits in 1 d", "warning 2,000", "critical 20,000"],
            ["3 Nov", "22 Nov"],
        ),
        # The night when clocks are set back.
        (
            drawn(series=replace(HOURS, until_at=HOURS.until_at - timedelta(days=28, hours=9))),
            None,
            ["11:00", "05:00"],
        ),
    ],
)
def test_a_chart_keeps_to_what_slack_documents(
    slack: SlackApi, one: Notice, names: list[str] | None, labels: list[str] | None
) -> None:
    assert app(slack).send(delivery(said(one))).verdict is Verdict.SENT
    (block,) = charts(first(slack).payload)
    chart = block["chart"]
    assert names is None or [series["name"] for series in chart["series"]] == names
    assert labels is None or chart["axis_config"]["categories"][::19] == labels


@pytest.mark.parametrize("text", ["x" * 400, "<!channel>" * 9, "", "&" * 99])
def test_strange_units_are_drawn_too(slack: SlackApi, text: str) -> None:
    app(slack).send(delivery(hostile(text)))
    assert len(charts(first(slack).payload)) == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"title": "x" * 51},
        {"title": ""},
        {"chart": {"type": "pie"}},
        {"points": 21},
        {"names": ["a", "a"]},
        {"names": [*"abcdefg"]},
        {"names": ["x" * 21]},
        {"value": None},
        {"label": "elsewhere"},
    ],
)
def test_the_fake_holds_the_documented_limits(broken: dict[str, Any]) -> None:
    labels = [f"{n}:00" for n in range(broken.get("points", 20))]
    data = [{"label": label, "value": 1} for label in labels]
    data[0] |= {key: broken[key] for key in ("value", "label") if key in broken}
    chart = {
        "type": "line",
        "series": [{"name": name, "data": data} for name in broken.get("names", ["a"])],
        "axis_config": {"categories": labels},
    }
    block = {"type": "data_visualization", "title": broken.get("title", "t"), "chart": broken.get("chart", chart)}
    assert payload_fault({"text": "t", "blocks": [block]}) == "invalid_blocks"
