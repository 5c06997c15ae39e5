from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.fakes.scripted_http import Answer, Drip, Raw, ScriptedHttp
from tests.web.talking import serving
from usage_watch.store.locks import DaemonLock
from usage_watch.web.answer import Page, line

NOBODY = "is `usage-watch run` running?"


@contextmanager
def answering(folder: Path, page: Page, more: str = "") -> Iterator[int]:
    """A daemon's server, and a rules file that names its port."""
    with serving({"/healthz": page}) as server:
        address = server.url.removeprefix("http://")
        (folder / "rules.yaml").write_text(f"web: {{listen: {address}}}\n{more}")
        yield int(address.rpartition(":")[2])


def test_what_lives_says_so(cli: Cli, folder: Path) -> None:
    with answering(folder, lambda asked: line("ok: as ever")):
        ran = cli("health")
    assert (ran.code, ran.out, ran.err) == (0, "ok: as ever\n", "")


def test_what_hangs_ends_with_5(cli: Cli, folder: Path) -> None:
    with answering(folder, lambda asked: line("late: 121 s", HTTPStatus.SERVICE_UNAVAILABLE)):
        ran = cli("health")
    assert (ran.code, ran.out, ran.err) == (5, "", "usage-watch: late: 121 s\n")


def test_nobody_ends_with_5(cli: Cli, folder: Path) -> None:
    with answering(folder, lambda asked: line("")) as port:
        pass
    ran = cli("health")
    assert (ran.code, ran.out, ran.err) == (5, "", f"usage-watch: 127.0.0.1:{port}: nobody answers there; {NOBODY}\n")


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (Answer(404), "answers 404: another program seems to listen there"),
        (Answer(200, "\x1b[2Jhello\n\nthere"), "[2Jhello there"),
        (Raw(b"SSH-2.0-OpenSSH\r\n"), "no server of ours answers there"),
        (Raw(), "no server of ours answers there"),
    ],
)
def test_whoever_answers_cannot_do_more_than_one_line(cli: Cli, folder: Path, step: object, why: str) -> None:
    with ScriptedHttp() as other:
        other.script.append(step)  # type: ignore[arg-type]
        ran = cli("health", "--address", f"127.0.0.1:{other.port}")
    assert why in ran.said
    assert ran.said.count("\n") == 1
    assert "\x1b" not in ran.said


def test_a_file_that_is_wrong_in_other_ways_is_not_its_business(cli: Cli, folder: Path) -> None:
    with answering(folder, lambda asked: line("ok"), "rules: [{id: x}]\nchannels: 5\n"):
        assert cli("health").code == 0


def test_an_address_by_hand_goes_before_the_file(cli: Cli, folder: Path) -> None:
    with answering(folder, lambda asked: line("ok")) as port:
        (folder / "rules.yaml").write_text("web: {listen: [")
        assert cli("health", "--address", f"127.0.0.1:{port}").out == "ok\n"
        assert cli("health", "--address", f"0.0.0.0:{port}").out == "ok\n", "it is reached on this machine"


def test_a_daemon_at_the_usual_address_lives_whatever_became_of_the_file(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(folder, lambda asked: line("ok")) as port:
        monkeypatch.setattr("usage_watch.cli.health.DEFAULT", f"127.0.0.1:{port}")
        (folder / "rules.yaml").write_text("web: {listen: [")
        assert (cli("health").code, cli("health").out) == (0, "ok\n")
    ran = cli("health")
    assert (ran.code, ran.err.partition(":")[0]) == (2, "rules.yaml")
    with DaemonLock(Path("usage-watch.db")):
        assert cli("health").out.startswith("ok: the main loop gave a sign "), "wherever it listens"


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:0", "usage.example.com:80"])
def test_an_address_that_is_none_ends_with_2(cli: Cli, folder: Path, address: str) -> None:
    ran = cli("health", "--address", address)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_port_0_is_told_to_be_any(cli: Cli, folder: Path) -> None:
    (folder / "rules.yaml").write_text("web: {listen: 127.0.0.1:0}\n")
    assert "--address HOST:PORT" in cli("health").err


# ---- web: off -----------------------------------------------------------------------------------------------------


@pytest.fixture
def unserved(folder: Path) -> Path:
    """Nothing is served; where the database is."""
    (folder / "rules.yaml").write_text("web: off\nstore: {path: data.db}\n")
    return folder / "data.db"


def test_without_a_server_it_goes_by_the_daemons_file(cli: Cli, unserved: Path) -> None:
    with DaemonLock(unserved):
        ran = cli("health")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith("ok: the main loop gave a sign ")


def test_without_a_server_old_signs_are_too_old(cli: Cli, unserved: Path) -> None:
    with DaemonLock(unserved):
        beside = Path("data.db.daemon")
        old = beside.stat().st_mtime - 125
        os.utime(beside, (old, old))
        ran = cli("health")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("usage-watch: late: the main loop gave no sign for 12")


def test_without_a_server_a_process_that_is_gone_does_not_live(cli: Cli, unserved: Path) -> None:
    assert cli("health").err == "usage-watch: no daemon watches into data.db: start `usage-watch run`\n"
    with subprocess.Popen(["true"]) as child:
        pass
    Path("data.db.daemon").write_text(f"{child.pid}\n")
    ran = cli("health")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err == "usage-watch: no daemon watches into data.db: start `usage-watch run`\n"


def test_who_drips_is_not_waited_for(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usage_watch.cli.health._PATIENCE", 0.1)
    with ScriptedHttp() as other:
        other.script.append(Drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"))
        assert "it does not answer" in cli("health", "--address", f"127.0.0.1:{other.port}").err


def test_it_waits_for_nobody_for_long(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def slow(asked: object) -> object:
        over.wait(20)
        return line("")

    monkeypatch.setattr("usage_watch.cli.health._PATIENCE", 0.1)
    with answering(folder, slow) as port:  # type: ignore[arg-type]
        ran = cli("health")
        over.set()
    assert (ran.code, ran.err) == (5, f"usage-watch: 127.0.0.1:{port}: it does not answer; {NOBODY}\n")
