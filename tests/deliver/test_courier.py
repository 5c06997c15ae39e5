"""A courier opens its channel when it is needed, and comes back whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import ClassVar

import pytest

from tests.deliver.mailroom import LONG
from tests.deliver.own_channel import OwnChannel, OwnSender
from tests.deliver.test_outlook import ROW
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.listening import listening
from tests.store.store_samples import NOON, greeting
from usage_watch.channels import EmailSettings, WebhookSettings
from usage_watch.channels.base import Attempt, ChannelSettings, Sender, Verdict
from usage_watch.core.message import Delivery
from usage_watch.deliver.courier import WAITED, Courier, Returned
from usage_watch.errors import SecretError, UsageError
from usage_watch.secret import SecretRef
from usage_watch.store.outbox import OutboxRow


class Hired:
    """A courier, and whom it comes back to."""

    def __init__(self, settings: ChannelSettings, environ: Mapping[str, str]) -> None:
        self._returned: SimpleQueue[Returned] = SimpleQueue()
        self.courier = Courier("pager", settings, environ, self._returned)

    def bring(self, row: OutboxRow = ROW) -> Attempt:
        self.courier.send(row, NOON)
        back = self._returned.get(timeout=LONG)
        assert back.row is row
        return back.attempt


class OwnMachine(OwnChannel):
    """The same for no people."""

    people: ClassVar[bool] = False


@contextmanager
def hired(settings: ChannelSettings, environ: Mapping[str, str] | None = None) -> Iterator[Hired]:
    found = Hired(settings, environ if environ is not None else {})
    try:
        yield found
    finally:
        found.courier.dismiss()


def test_the_channel_is_opened_once_and_closed_when_the_courier_is_dismissed() -> None:
    opened: list[OwnSender] = []

    def opening(environ: Mapping[str, str]) -> Sender:
        opened.append(OwnSender())
        return opened[-1]

    with hired(OwnChannel(opening)) as found:
        assert opened == []
        assert [found.bring().verdict, found.bring().verdict] == [Verdict.SENT, Verdict.SENT]
        assert [sender.closed for sender in opened] == [0]
    assert [sender.closed for sender in opened] == [1]


def test_who_is_dismissed_before_the_first_message_opens_nothing() -> None:
    with hired(OwnChannel(lambda environ: pytest.fail("opened"))):
        pass


def test_a_message_is_delivered_with_all_that_is_known_of_it() -> None:
    sender = OwnSender()
    row = replace(ROW, attempts=3, unsure=True, minimal=True)
    with hired(OwnChannel(lambda environ: sender)) as found:
        found.bring()
        found.bring(row)
    plain = Delivery(ROW.id, ROW.message, ROW.conversation, 1, NOON, unsure=False, minimal=False)
    assert sender.taken == [plain, replace(plain, attempt=3, unsure=True, minimal=True)]


@pytest.mark.parametrize(("people", "taken"), [(True, 1), (False, 0)])
def test_a_channel_that_became_a_machines_is_not_greeted(people: bool, taken: int) -> None:
    sender = OwnSender()
    hello = replace(ROW, message=greeting().message)
    channel = OwnChannel if people else OwnMachine
    with hired(channel(lambda environ: sender)) as found:
        assert found.bring(hello).verdict is Verdict.SENT
    assert len(sender.taken) == taken


def test_what_waited_is_put_in_words_as_of_now() -> None:
    sender = OwnSender()
    decided_at = NOON - WAITED
    waited = replace(ROW, message=replace(ROW.message, decided_at=decided_at))
    with hired(OwnChannel(lambda environ: sender)) as found:
        found.bring(waited)
    assert [each.message for each in sender.taken] == [replace(waited.message, said_at=NOON)]


def test_a_secret_that_cannot_be_read_is_for_somebody_to_mend_and_read_anew_each_time() -> None:
    environ: dict[str, str] = {}
    with WebhookReceiver() as receiver:
        settings = WebhookSettings(kind="webhook", url=receiver.url(), signing_secret=SecretRef(env="HOOK_SECRET"))
        with hired(settings, environ) as found:
            refused = found.bring()
            environ["HOOK_SECRET"] = "a secret that has been set by now"
            assert found.bring().verdict is Verdict.SENT
        assert [("webhook-signature" in request.headers) for request in receiver.requests] == [True]
    sentence = "env HOOK_SECRET is not set: set it where usage-watch is started."
    assert refused == Attempt(Verdict.CONFIGURATION, sentence)


def test_a_file_that_is_not_there_is_for_somebody_to_mend(tmp_path: Path) -> None:
    gone = str(tmp_path / "ca.pem")
    settings = EmailSettings(
        kind="email", host="localhost", sender="watch@example.com", recipients=("ana@example.com",), cafile=gone
    )
    with hired(settings) as found:
        attempt = found.bring()
    sentence = f"The CA file {gone} is not there: write the path of a PEM file as `cafile`."
    assert attempt == Attempt(Verdict.CONFIGURATION, sentence)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (SecretError("The secret is gone."), "The secret is gone."),
        (UsageError("The file is gone."), "The file is gone."),
        (PermissionError(13, "secret detail"), "It cannot be opened (PermissionError)."),
        (ValueError("secret detail"), "It cannot be opened (ValueError)."),
    ],
)
def test_a_channel_that_cannot_be_opened_ends_no_courier(error: Exception, sentence: str) -> None:
    errors = [error]

    def opening(environ: Mapping[str, str]) -> Sender:
        if errors:
            raise errors.pop()
        return OwnSender()

    with hired(OwnChannel(opening)) as found:
        assert found.bring() == Attempt(Verdict.CONFIGURATION, sentence)
        assert found.bring().verdict is Verdict.SENT


def test_a_fault_of_ours_is_a_refusal_that_is_reported_without_its_text() -> None:
    def answer(delivery: Delivery) -> Attempt:
        raise KeyError("somebody@example.com")

    sender = OwnSender(answer)
    with listening() as heard, hired(OwnChannel(lambda environ: sender)) as found:
        attempts = [found.bring(), found.bring()]
    assert attempts == [Attempt(Verdict.REJECTED, "A fault of ours (KeyError): please report it.")] * 2
    assert heard.names == ["fault.caught"] * 2
    said = {"where": "courier", "error": "KeyError", "id": "ntf_1"}
    assert {name: value for name, value in heard.fields[0].items() if name != "at"} == said
    assert sender.closed == 1
