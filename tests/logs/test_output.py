"""Standard error that nobody reads, that was closed, that is full: whoever has something to say goes on."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import pty
import select
import socket
import subprocess
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from usage_watch.logs.formats import Said, as_json, as_logfmt
from usage_watch.logs.output import Output, Recurring, is_journal


class Unspeakable:
    def __str__(self) -> str:
        raise ValueError("nobody can say this")


def output(stream: io.TextIOBase | None, form: Callable[[Said, bool], str] = as_logfmt) -> Output:
    return Output(stream, lambda said: form(said, True), for_programs=True)  # type: ignore[arg-type]


def say(out: Output, name: str, *, recurring: bool = False, at: float = 0, **fields: object) -> None:
    record = logging.LogRecord("usage_watch", logging.INFO, "", 0, name, None, None)
    record.__dict__.update(fields=fields, recurring=recurring)
    record.created = at or record.created
    out.handle(record)


@contextmanager
def small_pipe(pages: int = 2) -> Iterator[tuple[int, io.TextIOWrapper]]:
    """One that takes so many pages of 4 KiB."""
    theirs, ours = os.pipe()
    fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096 * pages)
    with os.fdopen(ours, "w", encoding="utf-8") as stream:
        try:
            yield theirs, stream
        finally:
            os.close(theirs)


def drained(fd: int) -> str:
    found = b""
    while select.select([fd], [], [], 0)[0] and (block := os.read(fd, 65536)):
        found += block
    return found.decode()


def test_a_pipe_that_nobody_reads_holds_up_nobody() -> None:
    with small_pipe() as (theirs, stream):
        out = output(stream)
        for number in range(1000):
            say(out, "some.done", number=number)
        first = drained(theirs).splitlines()
        assert first == [f"<6>info some.done number={number}" for number in range(len(first))]
        assert 10 < len(first) < 1000
        say(out, "some.back")
        say(out, "some.done")
        assert drained(theirs).splitlines() == [
            f"<4>warning log.lost lines={1000 - len(first)}",
            "<6>info some.back",
            "<6>info some.done",
        ]


def test_a_line_that_broke_off_ends_where_the_next_begins() -> None:
    """Longer than a pipe takes at once; nothing of it is taken for something else."""
    with small_pipe() as (theirs, stream):
        out = output(stream, as_json)
        long = {f"f{number}": "é" * 400 for number in range(4)}
        say(out, "some.long", **long)
        broken = drained(theirs)
        assert len(broken) == 8192
        say(out, "some.back")
        lines = drained(theirs).splitlines()
    assert lines[0] == ""
    assert ['"log.lost","lines":1}' in lines[1], '"some.back"}' in lines[2], len(lines)] == [True, True, 3]


@pytest.mark.parametrize("resume", [True, False])
def test_a_terminal_that_was_stopped_holds_up_nobody(resume: bool) -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        out = output(stream)
        termios.tcflow(theirs, termios.TCOOFF)
        for _ in range(3):
            say(out, "some.done")
        assert drained(ours) == ""
        if resume:
            termios.tcflow(theirs, termios.TCOON)
            say(out, "some.back")
            assert drained(ours).splitlines() == ["<4>warning log.lost lines=3", "<6>info some.back"]
    os.close(ours)


def test_a_pipe_that_was_closed_ends_nothing() -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "w", encoding="utf-8") as stream:
        out = output(stream)
        for _ in range(3):
            say(out, "some.done")


def test_a_terminal_that_is_gone_ends_nothing() -> None:
    ours, theirs = pty.openpty()
    os.close(ours)
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        say(output(stream), "some.done")


def test_a_full_disk_ends_nothing() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        out = output(stream)
        for _ in range(3):
            say(out, "some.done")


def test_what_cannot_be_said_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    screen = io.StringIO()
    out = output(screen)
    say(out, "some.done", error=Unspeakable())
    say(out, "some.back")
    assert screen.getvalue().splitlines() == ["<4>warning log.lost lines=1", "<6>info some.back"]
    assert capsys.readouterr() == ("", "")


def test_a_stream_that_was_never_open_is_nobody() -> None:
    say(output(None), "some.done")


def test_a_stream_that_was_closed_meanwhile_ends_nothing() -> None:
    screen = io.StringIO()
    out = output(screen)
    screen.close()
    say(out, "some.done")


def test_what_the_streams_encoding_lacks_is_escaped() -> None:
    theirs, ours = os.pipe()
    with os.fdopen(ours, "w", encoding="ascii") as stream:
        say(output(stream), "some.done", who="über")
        assert drained(theirs) == '<6>info some.done who="\\xfcber"\n'
    os.close(theirs)


# ---- who reads -------------------------------------------------------------------------------------------------------


def test_the_journal_is_known_by_the_stream_that_systemd_names() -> None:
    with small_pipe() as (_, stream), small_pipe() as (_, other):
        found = os.fstat(stream.fileno())
        named = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert is_journal(stream, named)
        assert not is_journal(other, named), "it was redirected"
        assert not is_journal(stream, {})
        assert not is_journal(stream, {"JOURNAL_STREAM": "nonsense"})
        assert not is_journal(io.StringIO(), named)
        assert not is_journal(None, named)


LOGS = """
from usage_watch import logs
logs.start(False{})
logs.warning("some.failed", error="no")
assert logs.complained("usage-watch: one.\\ntwo.") is {}
"""


def test_a_process_on_a_stream_of_the_journal() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        found = os.fstat(theirs.fileno())
        environ = {**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        code = [sys.executable, "-c", LOGS.format("", True)]
        assert subprocess.run(code, stderr=theirs, env=environ, timeout=60).returncode == 0
        theirs.close()
        said = ours.makefile().read()
    assert said.splitlines() == [
        "<4>warning some.failed error=no",
        "<3>error daemon.failed error=one.",
        "<3>error daemon.failed error=two.",
    ]


@pytest.mark.parametrize(("form", "events"), [("", False), (", 'json'", True)])
def test_a_process_in_a_pipe_says_why_it_ends_in_words_unless_programs_read(form: str, events: bool) -> None:
    code = [sys.executable, "-c", LOGS.format(form, events)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == (3 if events else 1)


def test_a_process_without_standard_error_goes_on() -> None:
    code = f'exec "{sys.executable}" -c "$0" 2>&-'
    assert subprocess.run(["sh", "-c", code, LOGS.format("", False)], timeout=60).returncode == 0


# ---- what recurs -----------------------------------------------------------------------------------------------------


def test_what_recurs_is_written_once_an_hour_with_how_often_it_came() -> None:
    screen = io.StringIO()
    out = output(screen)
    start = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    for minute in range(0, 125, 5):
        say(out, "fault.caught", recurring=True, at=start + 60 * minute, where="web")
    say(out, "fault.caught", recurring=True, at=start, where="courier")
    say(out, "some.done")
    say(out, "some.done")
    assert [line.removeprefix("<6>info ") for line in screen.getvalue().splitlines()] == [
        "fault.caught where=web",
        "fault.caught where=web repeated=11",
        "fault.caught where=web repeated=11",
        "fault.caught where=courier",
        "some.done",
        "some.done",
    ]


def test_a_clock_that_was_set_back_silences_nothing_for_long() -> None:
    recurring, now = Recurring(), datetime(2026, 11, 22, 12, tzinfo=UTC)
    event = Said(now, logging.ERROR, "fault.caught", {})
    assert recurring.due(event) == event
    assert recurring.due(Said(now.replace(hour=1), logging.ERROR, "fault.caught", {})) is not None


def test_no_more_is_remembered_than_fits() -> None:
    recurring, now = Recurring(), datetime(2026, 11, 22, 12, tzinfo=UTC)
    for number in range(1000):
        assert recurring.due(Said(now, logging.ERROR, "fault.caught", {"at": number})) is not None
    assert len(recurring._known) == 100
