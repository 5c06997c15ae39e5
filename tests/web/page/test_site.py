from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from pathlib import Path
from threading import Thread, Timer

import numpy as np
import pytest

from tests.cli.office import NOW
from tests.cli.stored import OPUS, SONNET, days, hours, store
from tests.web.page.office import Office, veiled
from tests.web.talking import Said, get, serving, vitals
from usage_watch.config import Config, load
from usage_watch.core.units import to_epoch
from usage_watch.store.database import open_for_writing
from usage_watch.vitals import Hindered
from usage_watch.web.answer import Answer, Asked
from usage_watch.web.page.site import Site
from usage_watch.web.server import ALWAYS

RULES = """\
timezone: Europe/Berlin
billing_day: 14
source: {base_url: "http://localhost:1/", backfill: 6d}
rules:
  - {id: models, kind: threshold, for_each: Model, above: {warning: 500}}
  - {id: people, kind: budget, for_each: member, limit: 9_000}
"""
PAGES = ("/", "/alerts", "/rules", "/history")
"""That need nothing behind a question mark."""
ADDRESS = "ana.reyes@example.com"


@dataclass
class Place:
    """A site over a real database; its time stands still until somebody says so."""

    database: Path
    rules: Path

    def __post_init__(self) -> None:
        self.now = NOW
        self.vitals = vitals()
        self.site = Site(self.database, self.config(), self.vitals, lambda: self.now)

    def config(self, more: str = "") -> Config:
        self.rules.write_text(f"store: {{path: {self.database}}}\n{RULES}{more}")
        return load(self.rules, {})

    def get(self, path: str = "/", query: str = "") -> Answer:
        return self.site.pages[path](Asked(path, query))

    def write(self, at: str = SONNET) -> None:
        """As the daemon's main thread does, while others look."""
        starts = hours(NOW - timedelta(days=1), NOW)
        store(self.database, NOW, starts, {at: np.full(len(starts), 5)})


@pytest.fixture
def alone(tmp_path: Path) -> Place:
    """Nobody has its database open."""
    path = tmp_path / "usage-watch.db"
    open_for_writing(path).close()
    over = hours(NOW - timedelta(days=6), NOW)
    store(path, NOW, over, {SONNET: np.full(len(over), 70), OPUS: np.full(len(over), 900)})
    by_day = days(NOW - timedelta(days=6), NOW)
    store(path, NOW, by_day, {ADDRESS: np.full(len(by_day), 2_000)}, members=True)
    return Place(path, tmp_path / "rules.yaml")


@pytest.fixture
def place(alone: Place) -> Iterator[Place]:
    """The daemon has its database open, as it does from its start to its end."""
    with open_for_writing(alone.database):
        yield alone


# ---- kept ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_made_once_for_what_is_stored(place: Place, path: str) -> None:
    first = place.get(path)
    place.now += timedelta(seconds=50)  # 14:05:50
    assert place.get(path) is first


def _a_minute(place: Place) -> None:
    place.now += timedelta(minutes=1)


def _somebody_writes(place: Place) -> None:
    place.write()


def _other_rules(place: Place) -> None:
    place.site.heed(place.config("  - {id: more, kind: threshold, above: 7}\n"))


def _hindered(place: Place) -> None:
    place.vitals.hindered = Hindered(NOW, "the disk is full", heard=True)


@pytest.mark.parametrize("change", [_a_minute, _somebody_writes, _other_rules, _hindered])
def test_what_changes_a_page_has_it_made_anew(place: Place, change: Callable[[Place], None]) -> None:
    first = {path: place.get(path) for path in PAGES}
    change(place)
    second = {path: place.get(path) for path in PAGES}
    assert all(second[path] is not first[path] for path in PAGES)
    assert all(place.get(path) is second[path] for path in PAGES)


def test_what_stands_in_the_write_ahead_log_alone_is_written_too(alone: Place) -> None:
    with open_for_writing(alone.database) as database:
        first, before = alone.get(), alone.database.stat().st_mtime_ns
        with database.transaction():
            database.execute("UPDATE feed SET id = id")
        assert alone.database.stat().st_mtime_ns == before
        assert alone.get() is not first


def test_each_question_has_an_answer_of_its_own(place: Place) -> None:
    first, other = place.get("/history"), place.get("/history", "dataset=credit_usage")
    assert first is not other
    assert place.get("/history") is first
    assert place.get("/history", "dataset=credit_usage") is other


def test_of_many_pages_those_that_were_asked_for_last_are_kept(place: Place) -> None:
    first, second = place.get("/rules", "a=1"), place.get("/rules", "a=2")
    for number in range(3, 61):
        place.get("/rules", f"a={number}")
    assert place.get("/rules", "a=1") is first
    place.get("/rules", "a=61")
    assert place.get("/rules", "a=1") is first
    assert place.get("/rules", "a=2") is not second


def test_many_ask_at_once(place: Place) -> None:
    found: list[Answer] = []
    threads = [Thread(target=lambda: found.append(place.get("/alerts"))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 8
    assert all(each is found[0] for each in found)


# ---- what there is not --------------------------------------------------------------------------------------------


@contextmanager
def _broken(path: Path) -> Iterator[None]:
    """What its file holds cannot be read, and its size and times do not tell."""
    held, times = path.read_bytes(), path.stat()

    def put(these: bytes) -> None:
        with path.open("r+b") as file:
            file.write(these)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    put(b"x" * len(held))
    try:
        yield
    finally:
        put(held)


@pytest.mark.parametrize("path", PAGES)
def test_without_a_database_it_says_so_until_there_is_one(alone: Place, path: str) -> None:
    aside = alone.database.rename(alone.database.with_suffix(".aside"))
    gone = alone.get(path)
    assert (gone.status, gone.content_type) == (503, "text/html; charset=utf-8")
    assert b"<h1>" in gone.body
    aside.rename(alone.database)
    assert alone.get(path).status == 200


def test_that_something_stood_in_the_way_is_not_kept(alone: Place) -> None:
    with _broken(alone.database):
        assert alone.get().status == 503
    assert alone.get().status == 200


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/alert", ""),
        ("/alert", "id=inc_000000000000"),
        ("/alert", "id=%00%ff%27--"),
        ("/rule", ""),
        ("/rule", "id=nobody"),
        ("/rule", "id=models&series=000000000000"),
        ("/history", "dataset=nothing"),
    ],
)
def test_what_there_is_not_is_said_in_a_sentence(place: Place, path: str, query: str) -> None:
    found = place.get(path, query)
    assert found.status == 404
    text = found.body.decode()
    assert "There is nothing to show here" in text
    assert '<a href="./">' in text
    assert "Traceback" not in text


@pytest.mark.parametrize("place_in_it", ["id={}", "id=models&series={}"])
def test_what_is_asked_for_stays_text(place: Place, place_in_it: str) -> None:
    text = place.get("/rule", place_in_it.format("%3Cimg%20src=x%20onerror=alert(1)%3E%22%27")).body.decode()
    assert "<img" not in text
    assert "There is nothing to show here" in text


@pytest.mark.parametrize(
    "query",
    ["&&&", "=", "%", "%zz=%ff", "id", "?" * 4_000, "&".join(f"a{number}=1" for number in range(99)), "dataset"],
)
def test_what_cannot_be_meant_is_left_out(place: Place, query: str) -> None:
    assert place.get("/alerts", query).status == 200


# ---- how it is sent -----------------------------------------------------------------------------------------------


def sent(place: Place, path: str, method: str = "GET") -> Said:
    with serving(place.site.pages) as server:
        return get(server, path, method, more="Connection: close\r\n")


@pytest.mark.parametrize("path", [*PAGES, "/rule?id=models", "/rule?id=nobody", "/alert?id=inc_0"])
def test_a_page_runs_nothing_and_asks_nobody(place: Place, path: str) -> None:
    found = sent(place, path)
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(each.split(" ", 1) for each in found.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    for name in set(ALWAYS) - {"Content-Security-Policy"}:
        assert found.headers[name.lower()] == ALWAYS[name]


@pytest.mark.parametrize(
    ("path", "content_type", "begin"),
    [("/style.css", "text/css; charset=utf-8", b""), ("/icon.svg", "image/svg+xml", b"<svg ")],
)
def test_what_a_page_is_dressed_in(place: Place, path: str, content_type: str, begin: bytes) -> None:
    found = sent(place, path)
    assert (found.status, found.headers["content-type"]) == (200, content_type)
    assert found.body.startswith(begin)
    assert found.headers["content-security-policy"].startswith("default-src 'none'")
    assert sent(place, path, "HEAD").body == b""


def test_a_sheet_of_style_asks_for_nothing_elsewhere(place: Place) -> None:
    style = sent(place, "/style.css").body.decode()
    assert "prefers-color-scheme: dark" in style
    assert [each for each in ("url(", "@import", "http:", "https:") if each in style] == []


@pytest.mark.parametrize(("members", "named"), [("full", True), ("initials", False), ("hidden", False)])
def test_members_are_named_as_the_rules_say(place: Place, members: str, named: bool) -> None:
    place.site.heed(place.config(f"web: {{members: {members}}}\n"))
    pages = [place.get("/rule", "id=people"), *(place.get(path) for path in PAGES)]
    assert {each.status for each in pages} == {200}
    assert any(ADDRESS.encode() in each.body for each in pages) is named


def test_the_time_on_a_page_is_that_of_the_rules(place: Place) -> None:
    assert to_epoch(place.now) % 60 == 0
    assert "15:05 (Europe/Berlin)" in place.get().body.decode()


READ = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT count(*) FROM bucket'); db.close()"


def test_who_looks_takes_no_lock_from_the_daemon(alone: Place) -> None:
    # Closing a file gives up all locks that a process has on it: then whoever closes it last takes the -wal along.
    with open_for_writing(alone.database) as daemons:
        with daemons.transaction():
            pass
        for path in PAGES:
            assert alone.get(path).status == 200
        subprocess.run([sys.executable, "-c", READ, alone.database], check=True)
        with daemons.transaction():
            pass


@pytest.mark.parametrize("how", ["initials", "hidden"])
def test_no_piece_of_a_hidden_name_is_left_on_any_page(odd: Office, how: str) -> None:
    # In markup its apostrophe is another, and its beginning looked like no part of an address.
    shown = veiled(odd, how)
    waiting, seen = ["/"], set[str]()
    while waiting:
        url = waiting.pop()
        seen.add(url)
        path, _, query = url.partition("?")
        text = shown.answer(path, query)[1]
        assert not re.search("d(&#x27;|')(A|a member)|arc", text), url
        links = ("/" + unescape(each).removeprefix("./") for each in re.findall('<a [^>]*href="([^"#:]*)"', text))
        waiting += {each for each in links if each not in seen and each not in waiting}
    assert len(seen) > 20


def test_rules_that_hide_more_show_nothing_that_was_kept(place: Place) -> None:
    assert ADDRESS in place.get("/").body.decode()
    place.site.heed(place.config("web: {members: hidden}\n"))
    place.vitals.idle.clear()
    Timer(0.05, place.vitals.idle.set).start()
    assert ADDRESS not in place.get("/").body.decode(), "not while a cycle is at work either"
