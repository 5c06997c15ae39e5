"""What others would print on standard error."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import warnings
from typing import Any

import pytest

from tests.listening import listening
from usage_watch.logs.strays import caught

SECRET = "https://hooks.example/kestrel"


def fail() -> None:
    raise ValueError(SECRET)


def test_an_error_that_ends_a_thread_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    with listening() as heard, caught():
        thread = threading.Thread(target=fail, name="courier ops")
        thread.start()
        thread.join()
    ((name, fields),) = zip(heard.names, heard.fields, strict=True)
    at = fields.pop("at")
    assert (name, fields) == ("fault.caught", {"where": "thread courier ops", "error": "ValueError"})
    assert at == f"logs/test_strays.py:{fail.__code__.co_firstlineno + 1}"
    assert heard.records[0].levelno == logging.ERROR


def test_whoever_else_wants_to_know_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with listening() as heard, caught():
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        Fragile()
    assert heard.names == ["fault.caught"] * 2
    assert len(told) == 2


class Fragile:
    def __del__(self) -> None:
        fail()


def test_a_thread_that_exits_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    with listening() as heard, caught():
        thread = threading.Thread(target=sys.exit)
        thread.start()
        thread.join()
    assert heard.names == []


def test_all_is_as_before_afterwards() -> None:
    before = threading.excepthook, sys.unraisablehook, warnings.showwarning, logging.lastResort
    with caught():
        pass
    assert (threading.excepthook, sys.unraisablehook, warnings.showwarning, logging.lastResort) == before


PROGRAM = f"""
import logging, threading, warnings
from usage_watch import logs
from usage_watch.logs.strays import caught

class Fragile:
    def __del__(self):
        raise ValueError("{SECRET}")

def fail():
    raise ValueError("{SECRET}")

logs.start(False)
with caught():
    for _ in range(3):
        warnings.warn("{SECRET}", RuntimeWarning)
        logging.getLogger("httpx").warning("{SECRET}\\n<0>")
        logging.getLogger("httpx").info("{SECRET}")
        Fragile()
        thread = threading.Thread(target=fail, name="web")
        thread.start()
        thread.join()
"""


def test_a_process_prints_nothing_of_others_but_what_and_where() -> None:
    done = subprocess.run([sys.executable, "-W", "always", "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert [line.partition(" ")[2] for line in done.stderr.splitlines()] == [
        'warning python.warned category=RuntimeWarning at="<string>:16"',
        'warning library.warned logger=httpx at="<string>:17"',
        'error fault.caught where=unraisable error=ValueError at="<string>:8"',
        'error fault.caught where="thread web" error=ValueError at="<string>:11"',
    ]
