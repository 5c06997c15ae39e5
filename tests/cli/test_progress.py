from __future__ import annotations

import io
import logging
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW
from usage_watch.cli.common.progress import progress
from usage_watch.core.series import HOUR, Feed

FEED = Feed("credit_usage", HOUR)
CLEAR = "\r\x1b[K"


class Terminal(io.StringIO):
    """A standard error that somebody looks at."""

    def isatty(self) -> bool:
        return True


def watched_by(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not a fixture: between fixtures and tests pytest puts streams of its own in place."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def test_old_history_is_shown_as_it_comes_and_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watched_by(monkeypatch)
    with progress(NOW) as shown:
        shown(FEED, datetime(2026, 9, 1, 5, tzinfo=NOW.tzinfo))
        shown(FEED, NOW)
    assert terminal.getvalue() == f"{CLEAR}reading credit_usage 1h: until 2026-09-01 05:00 UTC{CLEAR}{CLEAR}"


def test_a_steady_poll_is_no_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watched_by(monkeypatch)
    with progress(NOW) as shown:
        shown(FEED, NOW - timedelta(hours=40))
    assert "reading" not in terminal.getvalue()


def test_it_makes_way_for_whatever_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watched_by(monkeypatch)
    logger = logging.getLogger("usage_watch")
    with progress(NOW) as shown:
        shown(FEED, NOW - timedelta(days=50))
        logger.warning("feed.failed")
        assert terminal.getvalue().endswith(CLEAR)
    assert logger.filters == []


def test_a_pipe_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(NOW) as shown:
        shown(FEED, NOW - timedelta(days=50))
    assert capsys.readouterr() == ("", "")


def test_one_cycle_says_what_it_did_to_whoever_watches(cli: Cli, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watched_by(monkeypatch)
    assert cli("run", "--once").code == 0
    assert terminal.getvalue().endswith("2 feeds read, 216 new buckets, 0 revised; 4 messages sent.\n" + CLEAR)
