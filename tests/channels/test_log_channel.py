from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tests.channels.samples import delivery, hostile, member_day, message
from usage_watch.channels import AnyChannel, LogSettings
from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.log import LogSender


def settings() -> LogSettings:
    channel: object = TypeAdapter(AnyChannel).validate_python({"kind": "log"})
    assert isinstance(channel, LogSettings)
    return channel


def test_a_message_is_a_block_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    sender = settings().connect({})
    assert sender.send(delivery()) == Attempt(Verdict.SENT)
    sender.close()
    printed = capsys.readouterr().out
    assert printed.startswith("🔴 12,345 credits in 3 h")
    assert printed.endswith("times in Europe/Berlin\n\n")


def test_another_stream_may_be_given() -> None:
    stream = io.StringIO()
    assert settings().connect({}, stream).send(delivery()).verdict is Verdict.SENT
    assert stream.getvalue().startswith("🔴 12,345 credits")


def test_the_reasons_of_several_stay_indented() -> None:
    stream = io.StringIO()
    LogSender(stream).send(
        delivery(message(member_day("ana@example.com", 21_400), member_day("ben@example.com", 2_900)))
    )
    assert "\n   A week before  1,910 credits\n" in stream.getvalue()


def test_no_terminal_obeys_a_message() -> None:
    stream = io.StringIO()
    LogSender(stream).send(delivery(hostile("\x1b]0;owned\x07\x9b31m\r\nfake line\u202e")))
    assert all(line.isprintable() for line in stream.getvalue().split("\n"))
    assert not any(line.startswith("fake line") for line in stream.getvalue().split("\n"))


def test_a_stream_that_knows_few_letters_gets_those() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    assert LogSender(stream).send(delivery()).verdict is Verdict.SENT
    assert raw.getvalue().startswith(b"? 12,345 credits")
    stream.close()


def test_what_may_be_a_repeat_says_so() -> None:
    stream = io.StringIO()
    LogSender(stream).send(delivery(unsure=True))
    assert stream.getvalue().endswith("times in Europe/Berlin · may be a repeat: an earlier attempt got no answer\n\n")


@pytest.mark.parametrize("unsure", [False, True])
def test_the_least_is_a_line(unsure: bool) -> None:
    stream = io.StringIO()
    LogSender(stream).send(delivery(hostile("\x1b[31m" + "é\n" * 3_000), minimal=True, unsure=unsure))
    assert len(stream.getvalue().encode()) < 3_000
    assert stream.getvalue().strip().isprintable()
    assert stream.getvalue().count("\n") == 2
    assert ("(may be a repeat: " in stream.getvalue()) is unsure


def test_of_a_logs_repeats_there_is_nothing_to_say() -> None:
    assert LogSender(io.StringIO()).about_repeats(Attempt(Verdict.SENT)) == ""


FAILED = Attempt(Verdict.NOT_SENT, "Standard output takes no more: is it closed, or the disk full?")


def test_a_pipe_that_nobody_reads_has_not_taken_the_message() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        assert LogSender(stream).send(delivery()) == FAILED
        with pytest.raises(BrokenPipeError):
            stream.close()


def test_a_full_disk_has_not_taken_the_message() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    stream = full.open("w")
    assert LogSender(stream).send(delivery()) == FAILED
    with pytest.raises(OSError, match="No space left"):
        stream.close()


def test_a_closed_stream_has_not_taken_the_message() -> None:
    stream = io.StringIO()
    stream.close()
    assert LogSender(stream).send(delivery()) == FAILED
