"""The database file: what it promises when it opens, what it refuses, and what it does in trouble."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from usage_watch.errors import MachineError
from usage_watch.store.database import Database, open_for_reading, open_for_writing
from usage_watch.store.header import APPLICATION_ID, VERSION
from usage_watch.store.locks import DaemonLock, FileLock

AT_ONCE = timedelta(milliseconds=20)
NOBODY = 65534


def contents(directory: Path) -> dict[str, bytes | None]:
    """Every file with its bytes."""
    return {str(found): found.read_bytes() if found.is_file() else None for found in sorted(directory.rglob("*"))}


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Permissions do not bind root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that every user can reach."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory
        directory.chmod(0o755)


def enter(path: Path) -> None:
    with DaemonLock(path):
        pass


def make(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


# What it promises


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("journal_size_limit", 64 * 1024 * 1024),
        ("busy_timeout", 5000),
        ("application_id", APPLICATION_ID),
        ("user_version", VERSION),
    ],
)
def test_it_opens_durable_and_strict(db: Database, pragma: str, value: object) -> None:
    assert db.one(f"PRAGMA {pragma}") == (value,)


def test_every_table_is_strict(db: Database) -> None:
    tables: dict[str, int] = dict(
        db.query("SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    )
    assert {"bucket", "fetch", "incident", "outbox"} <= tables.keys()
    assert [name for name, strict in tables.items() if not strict] == []


def test_bulk_tables_have_no_rowid(db: Database) -> None:
    without = {name for (name,) in db.query("SELECT name FROM pragma_table_list WHERE wr")}
    assert {"bucket", "fetch", "notification"} <= without


def test_the_schema_version_counts_the_migrations(db: Database) -> None:
    assert db.one("SELECT count(*) FROM _sqlite_migrations") == (VERSION,)


def test_opening_again_changes_nothing(path: Path) -> None:
    with open_for_writing(path):
        pass
    before = path.read_bytes()
    with open_for_writing(path) as db:
        assert db.one("SELECT count(*) FROM _sqlite_migrations") == (VERSION,)
    assert path.read_bytes() == before


def test_a_new_database_is_marked_as_ours_before_it_is_closed(db: Database, path: Path) -> None:
    header = path.read_bytes()[:100]
    assert int.from_bytes(header[68:72], "big") == APPLICATION_ID
    assert int.from_bytes(header[60:64], "big") == VERSION


@pytest.mark.parametrize("name", ["usage watch.db", "100%.db", "what?.db", "a#b.db", "ä.db", "-x"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    with open_for_writing(tmp_path / name) as db:
        assert db.path.name == name
    with open_for_reading(tmp_path / name):
        assert {found.name.removeprefix(name) for found in tmp_path.iterdir()} <= {"", ".lock", "-wal", "-shm"}


def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.touch()
    with open_for_writing(path) as db:
        assert db.one("SELECT count(*) FROM feed") == (0,)


def test_a_link_and_its_target_share_one_lock(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "real" / "x.db")
    with open_for_writing(link) as db, db.transaction(), pytest.raises(MachineError, match="has held"):
        open_for_writing(tmp_path / "real" / "x.db", AT_ONCE)


# What it refuses


def directory_missing(path: Path) -> Path:
    return path.parent / "missing" / "x.db"


def directory_itself(path: Path) -> Path:
    path.mkdir()
    return path


def text_file(path: Path) -> Path:
    path.write_text("dear diary\n" * 20)
    return path


def cut_off(path: Path) -> Path:
    path.write_bytes(b"SQLite format 3\x00")
    return path


def marked_by_another(path: Path) -> Path:
    make(path, "PRAGMA application_id = 7")
    return path


def unmarked_with_tables(path: Path) -> Path:
    make(path, "PRAGMA journal_mode = WAL", "CREATE TABLE diary (day)")
    return path


def of_the_future(path: Path) -> Path:
    with open_for_writing(path):
        pass
    make(path, f"PRAGMA user_version = {VERSION + 1}")
    path.with_name(f"{path.name}.lock").unlink()
    return path


def endless_link(path: Path) -> Path:
    path.symlink_to(path)
    return path


REFUSED = [
    (directory_missing, "the directory .*missing does not exist; create it"),
    (directory_itself, "is not a file; name a file in store.path"),
    (text_file, "is not a SQLite database; move it away"),
    (cut_off, "is not a SQLite database; move it away"),
    (marked_by_another, "is another program's database; name another file"),
    (unmarked_with_tables, "is another program's database; name another file"),
    (of_the_future, rf"was written by a newer usage-watch \(schema {VERSION + 1}, this one knows {VERSION}\); upgrade"),
    (endless_link, "leads nowhere .*; name another store.path"),
]


@pytest.mark.parametrize(("prepare", "sentence"), REFUSED)
@pytest.mark.parametrize("action", [open_for_writing, open_for_reading, enter])
def test_what_is_not_ours_is_refused_untouched(
    path: Path, prepare: Callable[[Path], Path], sentence: str, action: Callable[[Path], object]
) -> None:
    refused = prepare(path)
    before = contents(path.parent)
    with pytest.raises(MachineError, match=sentence):
        action(refused)
    assert contents(path.parent) == before


def test_a_path_that_cannot_be_is_refused() -> None:
    with pytest.raises(MachineError, match="leads nowhere"):
        open_for_writing(Path("x\x00.db"))


@pytest.mark.parametrize("action", [open_for_writing, open_for_reading])
def test_a_newer_version_is_seen_in_the_write_ahead_log_too(path: Path, action: Callable[[Path], Database]) -> None:
    with open_for_writing(path) as db:
        with db.transaction():
            db.execute(f"PRAGMA user_version = {VERSION + 1}")
        assert int.from_bytes(path.read_bytes()[60:64], "big") == VERSION
        with pytest.raises(MachineError, match="written by a newer usage-watch"):
            action(path)


def test_reading_wants_a_daemon_to_have_run_first(path: Path) -> None:
    with pytest.raises(MachineError, match=r"no database at .* yet; start `usage-watch run` first"):
        open_for_reading(path)
    assert contents(path.parent) == {}


def test_reading_does_not_upgrade(path: Path) -> None:
    make(path, f"PRAGMA application_id = {APPLICATION_ID}")
    with pytest.raises(MachineError, match="of an older usage-watch; start `usage-watch run` once"):
        open_for_reading(path)
    with open_for_writing(path):
        assert path.exists()
    with open_for_reading(path) as db:
        assert db.one("SELECT count(*) FROM feed") == (0,)


@pytest.mark.parametrize("action", [open_for_writing, enter])
def test_a_directory_that_may_not_be_written_is_refused(shared: Path, action: Callable[[Path], object]) -> None:
    shared.chmod(0o555)
    with ordinary_user(), pytest.raises(MachineError, match="this user may not write in"):
        action(shared / "x.db")
    assert contents(shared) == {}


def test_a_file_that_may_not_be_written_is_refused(shared: Path) -> None:
    with open_for_writing(shared / "x.db"):
        pass
    shared.chmod(0o777)
    (shared / "x.db").chmod(0o444)
    (shared / "x.db.lock").unlink()
    before = contents(shared)
    with ordinary_user(), pytest.raises(MachineError, match=r"this user may not write .*x\.db; change its owner"):
        open_for_writing(shared / "x.db")
    assert contents(shared) == before


def test_a_file_that_may_not_be_read_is_refused(shared: Path) -> None:
    with open_for_writing(shared / "x.db"):
        pass
    (shared / "x.db").chmod(0o000)
    with ordinary_user(), pytest.raises(MachineError, match=r"may not read .*; run the command as the daemon's user"):
        open_for_reading(shared / "x.db")


def test_a_directory_that_may_not_be_entered_is_refused(shared: Path) -> None:
    (shared / "inner").mkdir(mode=0o700)
    (shared / "inner").chmod(0o000)
    with (
        ordinary_user(),
        pytest.raises(MachineError, match=r"may not look into .*inner; run the command as .*, or as root"),
    ):
        open_for_writing(shared / "inner" / "x.db")


def test_a_lock_that_may_not_be_opened_is_explained(shared: Path) -> None:
    shared.chmod(0o777)
    (shared / "x.db.lock").touch(mode=0o000)
    with ordinary_user(), pytest.raises(MachineError, match=r"cannot open .*x\.db\.lock: Permission denied; check its"):
        open_for_writing(shared / "x.db")


def test_a_lock_made_by_root_serves_the_daemons_user(shared: Path) -> None:
    shared.chmod(0o777)
    (shared / "x.db.lock").touch(mode=0o444)
    with ordinary_user(), open_for_writing(shared / "x.db") as db, db.transaction():
        assert db.one("SELECT 1") == (1,)


def test_another_user_reads_only_beside_a_daemon(shared: Path) -> None:
    with open_for_writing(shared / "x.db") as db, db.transaction():
        db.execute("INSERT INTO feed (dataset, width, scope) VALUES ('credit_usage', 3600, 'everyone')")
    shared.chmod(0o555)
    (shared / "x.db").chmod(0o444)
    with (
        ordinary_user(),
        pytest.raises(MachineError, match="while no daemon has it open a reader must be able to write too"),
    ):
        open_for_reading(shared / "x.db")


# In trouble


def test_a_transaction_is_all_or_nothing(db: Database) -> None:
    def interrupted() -> None:
        with db.transaction():
            db.execute("INSERT INTO feed (dataset, width, scope) VALUES ('credit_usage', 3600, 'everyone')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert db.one("SELECT count(*) FROM feed") == (0,)
    with db.transaction():
        db.execute("INSERT INTO feed (dataset, width, scope) VALUES ('credit_usage', 3600, 'everyone')")
    assert db.one("SELECT count(*) FROM feed") == (1,)


def test_transactions_do_not_nest(db: Database) -> None:
    with db.transaction(), pytest.raises(RuntimeError, match="open already"), db.transaction():
        pass


def test_nothing_is_written_outside_a_transaction(db: Database) -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        db.execute("DELETE FROM feed")
    with pytest.raises(RuntimeError, match="outside a transaction"):
        db.execute_many("DELETE FROM feed WHERE id = ?", [(1,)])


def test_a_reader_cannot_write(db: Database, path: Path) -> None:
    with open_for_reading(path) as reader:
        with pytest.raises(RuntimeError, match="opened for reading"), reader.transaction():
            pass
        with pytest.raises(MachineError, match="cannot be written by this user"):
            reader.one("DELETE FROM feed")


def test_a_reader_sees_what_is_committed_while_a_writer_writes(db: Database, path: Path) -> None:
    with open_for_reading(path) as reader, db.transaction():
        db.execute("INSERT INTO feed (dataset, width, scope) VALUES ('credit_usage', 3600, 'everyone')")
        assert reader.one("SELECT count(*) FROM feed") == (0,)


def test_another_programs_lock_is_explained(path: Path) -> None:
    with (
        open_for_writing(path, AT_ONCE) as db,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(MachineError, match="is locked by another program; close it there"), db.transaction():
            pass
        other.execute("ROLLBACK")
        with db.transaction():
            assert db.one("SELECT 1") == (1,)


def test_our_own_lock_is_explained(path: Path) -> None:
    with (
        open_for_writing(path) as db,
        db.transaction(),
        pytest.raises(MachineError, match=r"\.lock for .*; wait for it"),
    ):
        open_for_writing(path, AT_ONCE)


def test_closing_beside_a_writer_does_not_wait_for_ever(path: Path) -> None:
    second = open_for_writing(path, AT_ONCE)
    with FileLock(path, AT_ONCE).held():
        second.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        second.one("SELECT 1")


def test_a_full_disk_loses_nothing_that_was_stored(db: Database) -> None:
    with db.transaction():
        db.execute("INSERT INTO feed (dataset, width, scope) VALUES ('kept', 3600, 'everyone')")
    (pages,) = db.one("PRAGMA page_count") or (0,)
    db.one(f"PRAGMA max_page_count = {pages}")
    many = (("d" * 500 + str(i), 3600, "everyone") for i in range(100))
    with (
        pytest.raises(MachineError, match="the disk is full; make room, nothing that was stored is lost"),
        db.transaction(),
    ):
        db.execute_many("INSERT INTO feed (dataset, width, scope) VALUES (?, ?, ?)", many)
    db.one("PRAGMA max_page_count = 100000")
    with db.transaction():
        db.execute("INSERT INTO feed (dataset, width, scope) VALUES ('later', 3600, 'everyone')")
    assert [name for (name,) in db.query("SELECT dataset FROM feed ORDER BY id")] == ["kept", "later"]


def test_a_damaged_file_is_named(path: Path) -> None:
    with open_for_writing(path) as db, db.transaction():
        rows = (("d" * 500 + str(i), 3600, "everyone") for i in range(100))
        db.execute_many("INSERT INTO feed (dataset, width, scope) VALUES (?, ?, ?)", rows)
    damaged = bytearray(path.read_bytes())
    damaged[8192:] = b"\xff" * (len(damaged) - 8192)
    path.write_bytes(damaged)
    with (
        open_for_reading(path) as db,
        pytest.raises(MachineError, match="is damaged; move it away and restore a backup"),
    ):
        list(db.query("SELECT * FROM feed"))


def test_a_fault_of_ours_is_not_dressed_up(db: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        db.one("SELECT * FROM nowhere")
    with pytest.raises(sqlite3.IntegrityError), db.transaction():
        db.execute("INSERT INTO series (feed_id, axis, category, member) VALUES (7, '', '', '')")


def test_a_failed_upgrade_leaves_no_open_database(path: Path) -> None:
    make(path, f"PRAGMA application_id = {APPLICATION_ID}", "CREATE TABLE feed (id)")
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        open_for_writing(path)
    with closing(sqlite3.connect(path)) as connection:
        assert [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")] == ["feed"]


OPEN = """
import sys
from pathlib import Path
from usage_watch.store.database import open_for_writing

sys.stdin.readline()
with open_for_writing(Path(sys.argv[1])) as db:
    print(db.one("SELECT count(*) FROM _sqlite_migrations")[0])
"""


def test_three_processes_may_make_the_database_at_once(path: Path) -> None:
    command = [sys.executable, "-c", OPEN, str(path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in processes] == [f"{VERSION}\n"] * 3
