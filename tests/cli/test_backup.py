from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, on_terminal
from usage_watch.clock import SteppedClock
from usage_watch.store.database import open_for_reading

NAME = f"usage-watch.db.backup-{NOW:%Y%m%dT%H%M%SZ}"


def whole(path: Path) -> None:
    with open_for_reading(path) as db:
        assert db.one("PRAGMA integrity_check") == ("ok",)


def test_without_a_name_it_stands_beside_the_database_and_has_the_time(cli: Cli, watched: Path) -> None:
    ran = cli("backup")
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(rf"{watched.parent}/{NAME}: [0-9.]+ [kM]B, whole by quick_check.\n", ran.out)
    whole(watched.parent / NAME)


def test_a_restored_backup_is_the_database(cli: Cli, watched: Path) -> None:
    assert cli("backup", "copy.db").code == 0
    before = cli("alerts", "list", "--json").out
    database = watched.with_name("usage-watch.db")
    database.unlink()
    watched.with_name("copy.db").rename(database)
    assert cli("alerts", "list", "--json").out == before
    assert cli("run", "--once").code == 0


def test_a_terminal_is_told_how_to_restore_it(watched: Path, folder: Path) -> None:
    code, seen = on_terminal("backup", "my copy.db", columns=200)
    assert code == 0
    assert f"rm -f {folder}/usage-watch.db-wal {folder}/usage-watch.db-shm" in seen
    assert f"cp -p '{folder}/my copy.db' {folder}/usage-watch.db" in seen


def test_a_directory_takes_the_name_with_the_time(cli: Cli, watched: Path) -> None:
    (watched.parent / "kept").mkdir()
    assert cli("backup", "kept").code == 0
    whole(watched.parent / "kept" / NAME)


def test_the_newest_are_kept(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    for day in (19, 20, 21):
        clock.step(NOW.replace(day=day))
        assert cli("backup").code == 0
    clock.step(NOW)
    ran = cli("backup", "--keep", "2")
    assert (ran.code, "Removed 2 older backups." in ran.out) == (0, True)
    kept = sorted(each.name for each in watched.parent.iterdir() if "backup" in each.name)
    assert kept == ["usage-watch.db.backup-20261121T140500Z", NAME]


def test_nothing_is_removed_where_the_new_one_failed(cli: Cli, watched: Path) -> None:
    assert cli("backup").code == 0
    ran = cli("backup", "--keep", "1")
    assert (ran.code, "is there already" in ran.err) == (5, True)
    whole(watched.parent / NAME)


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("copy.db", "--keep", "2"), 2, "--keep is for backups that are named by their time"),
        (("--keep", "0"), 2, "0 is not in the range"),
        (("rules.yaml",), 5, "is there already; name another file, or replace it with --force"),
        (("gone/",), 2, "no directory 'gone/'; make it first, or leave its last / out"),
        (("gone/copy.db",), 5, "does not exist; create it or name another file"),
        (("usage-watch.db", "--force"), 5, "belongs to the database itself"),
    ],
)
def test_what_cannot_be(cli: Cli, watched: Path, arguments: tuple[str, ...], code: int, why: str) -> None:
    before = {each: each.read_bytes() for each in watched.parent.iterdir()}
    ran = cli("backup", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert why in ran.err
    assert {each: each.read_bytes() for each in watched.parent.iterdir()} == before


@pytest.mark.parametrize("written", ["rules: [", "store: {path: usage-watch.db}\nrules: [{id: x}]\n", None])
def test_a_wrong_rules_file_is_no_reason_to_have_none(cli: Cli, watched: Path, written: str | None) -> None:
    if written is None:
        watched.unlink()
    else:
        watched.write_text(written)
    assert cli("backup", "copy.db").code == 0
    whole(watched.parent / "copy.db")


def test_without_a_database_it_says_so(cli: Cli, rules: Path) -> None:
    ran = cli("backup")
    assert (ran.code, "there is no database at" in ran.err) == (5, True)
    assert list(rules.parent.iterdir()) == [rules]
