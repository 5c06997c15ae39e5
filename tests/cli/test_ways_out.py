from __future__ import annotations

import errno
import io
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TextIO

import click
import pytest

from tests.cli.conftest import Cli
from tests.cli.office import process, program
from usage_watch.cli.common.ways_out import guarded
from usage_watch.store.header import APPLICATION_ID


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("statsu",), "usage-watch: No such command 'statsu'; did you mean 'status'? See `usage-watch --help`.\n"),
        (("bogus",), "usage-watch: No such command 'bogus'. See `usage-watch --help`.\n"),
        (("alerts", "bogus"), "usage-watch: No such command 'bogus'. See `usage-watch alerts --help`.\n"),
        (("alerts", "show"), "usage-watch: Missing argument 'ID'. See `usage-watch alerts show --help`.\n"),
        (("channels", "test", "a", "b"), "See `usage-watch channels test --help`.\n"),
        (("status", "--bogus"), "See `usage-watch status --help`.\n"),
        (("history", "export", "--format", "xml"), "See `usage-watch history export --help`.\n"),
        (("--config",), "See `usage-watch --help`.\n"),
    ],
)
def test_wrong_usage_is_one_sentence_with_where_to_look(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    ran = cli(*arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("usage-watch: ")
    assert ran.err.endswith(said)


@pytest.mark.parametrize("arguments", [(), ("history",), ("channels",)])
def test_nothing_but_a_name_shows_its_help_as_wrong_usage(cli: Cli, arguments: tuple[str, ...]) -> None:
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: usage-watch")


def _missing_directory(database: Path) -> None:
    database.parent.rmdir()


def _directory(database: Path) -> None:
    database.mkdir()


def _text(database: Path) -> None:
    database.write_text("no database at all, and longer than the header of one" * 9)


def _of_another_program(database: Path) -> None:
    with closing(sqlite3.connect(database)) as other:
        other.execute("CREATE TABLE theirs (id)")


def _newer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as newer:
        newer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        newer.execute("PRAGMA user_version = 99")
        newer.execute("CREATE TABLE ours (id)")


MACHINES = [
    (_missing_directory, "does not exist; create it or name another store.path"),
    (_directory, "is not a file; name a file in store.path"),
    (_text, "is not a SQLite database; move it away or name another store.path"),
    (_of_another_program, "is another program's database; name another file in store.path"),
    (_newer, "was written by a newer usage-watch"),
]


@pytest.mark.parametrize("arguments", [("run", "--once"), ("run",), ("history", "backfill"), ("status", "--json")])
@pytest.mark.parametrize(("spoil", "said"), MACHINES)
def test_a_machine_that_stands_in_the_way_ends_with_5(
    cli: Cli, rules: Path, spoil: Callable[[Path], None], said: str, arguments: tuple[str, ...]
) -> None:
    database = rules.parent / "data" / "usage-watch.db"
    database.parent.mkdir()
    rules.write_text(rules.read_text() + f"store: {{path: {database}}}\n")
    spoil(database)
    before = {path: path.is_file() and path.read_bytes() for path in rules.parent.rglob("*")}
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (5, "")
    assert said in ran.err.splitlines()[-1]
    assert ran.err.splitlines()[-1].startswith("usage-watch: ")
    assert {path: path.is_file() and path.read_bytes() for path in rules.parent.rglob("*")} == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_ends_with_5(cli: Cli, rules: Path) -> None:
    rules.parent.chmod(0o500)
    ran = cli("run", "--once")
    assert ran.code == 5
    assert "may not write in" in ran.err


def test_where_the_rules_file_is_may_be_said_on_either_side_and_in_the_environment(
    cli: Cli, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = watched.rename(watched.with_name("other.yaml"))
    assert cli("status").code == 2
    right = cli("status", "--config", str(other))
    assert right.code == 0
    assert cli("--config", str(other), "status") == right
    assert cli("--config", "nothing.yaml", "status", "--config", str(other)) == right
    monkeypatch.setenv("USAGE_WATCH_CONFIG", str(other))
    assert cli("status") == right
    assert cli("--config", "nothing.yaml", "status").code == 2, "what is written goes over the environment"


def test_a_fault_of_ours_is_one_sentence_and_ends_with_70(cli: Cli, watched: Path, tmp_path: Path) -> None:
    (tmp_path / "clock").write_text("no time")
    ran = cli("alerts")
    assert (ran.code, ran.out, ran.err.count("\n")) == (70, "", 1)
    assert ran.err.startswith("usage-watch: a fault of ours (ValueError at clock.py:")
    assert ran.err.endswith("please report it, with the output of the same command with -v.\n")


@pytest.mark.parametrize("arguments", [("-v", "alerts"), ("alerts", "list", "--verbose")])
def test_a_fault_of_ours_shows_where_it_comes_from_when_asked(
    cli: Cli, watched: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "clock").write_text("no time")
    ran = cli(*arguments)
    assert ran.code == 70
    assert ran.err.startswith("Traceback")
    assert "a fault of ours" in ran.err.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments", [("--help",), ("status",), ("alerts", "list"), ("status", "--json"), ("schema",), ("bogus",), ()]
)
def test_a_closed_pipe_is_quiet(watched: Path, nobody: TextIO, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(program(*arguments), stdout=nobody, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == (2 if arguments in [("bogus",), ()] else 0)
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


def test_a_closed_pipe_is_quiet_on_both_sides(watched: Path, nobody: TextIO) -> None:
    assert subprocess.run(program("bogus"), stdout=nobody, stderr=nobody, timeout=60).returncode == 2


@pytest.fixture
def nobody() -> Iterator[TextIO]:
    """The writing end of a pipe that nobody reads."""
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w", buffering=1) as stream:
        yield stream


@pytest.mark.parametrize(("name", "arguments", "code"), [("stdout", "status", 0), ("stderr", "bogus", 2)])
def test_a_closed_pipe_in_this_process(
    cli: Cli, watched: Path, nobody: TextIO, monkeypatch: pytest.MonkeyPatch, name: str, arguments: str, code: int
) -> None:
    monkeypatch.setattr(sys, name, nobody)
    assert cli(arguments).code == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk here")
@pytest.mark.parametrize("arguments", [("status",), ("history", "export")])
def test_a_full_disk_ends_with_5(watched: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(program(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 5
    assert done.stderr == ("usage-watch: this machine refused it: No space left on device; mend that and try again.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk here")
@pytest.mark.parametrize("buffering", [-1, 1], ids=["noticed at the end", "noticed at once"])
def test_a_full_disk_in_this_process(cli: Cli, watched: Path, monkeypatch: pytest.MonkeyPatch, buffering: int) -> None:
    with Path("/dev/full").open("w", buffering=buffering) as full:
        monkeypatch.setattr(sys, "stdout", full)
        ran = cli("history", "export", "--since", "1h")
    assert (ran.code, ran.err.count("No space left")) == (5, 1)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_poor_encoding_is_no_reason_to_fail(watched: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    # What it prints begins with a mark that the encoding lacks.
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    assert process("channels", "test", "screen").code == 0


def test_a_stream_that_cannot_be_told_otherwise_is_left_alone(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    assert cli("--help").code == 0
    assert out.getvalue().startswith("Usage: usage-watch")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_ends_with_130_and_without_a_word(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(_raising(error), verbose=False) == 130
    assert capsys.readouterr() == ("", "\n")


def test_what_the_system_refuses_names_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "/srv/x")
    assert guarded(_raising(error), verbose=False) == 5
    assert capsys.readouterr().err == (
        "usage-watch: this machine refused it: Permission denied (/srv/x); mend that and try again.\n"
    )


def _raising(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work
