from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, on_terminal, process
from usage_watch.cli.history import write_csv, write_jsonl
from usage_watch.clock import SteppedClock
from usage_watch.simulator import SimulatorServer
from usage_watch.store.export import ExportRow

COLUMNS = "dataset,bucket,start,member,axis,category,count,settled"


def test_csv_has_the_columns_of_the_contract(cli: Cli, watched: Path) -> None:
    ran = cli("history", "export")
    assert (ran.code, ran.err) == (0, "")
    header, *lines = ran.out.splitlines()
    assert header == COLUMNS
    assert "credit_usage,1h,2026-11-20T11:00:00Z,,,,0,true" in lines
    assert "credit_usage,1h,2026-11-22T11:00:00Z,,,,9000,false" in lines, "it may still grow"
    assert "credit_usage,1h,2026-11-22T12:00:00Z,,Model,claude-opus-4-8,9000,false" in lines
    assert "credit_usage,1h,2026-11-22T13:00:00Z,,,,0,false" in lines, "zeros are counts, and have no axis"
    assert "credit_usage,1d,2026-11-21T00:00:00Z,ana@example.com,,,8000,false" in lines


def test_jsonl_says_the_same(cli: Cli, watched: Path) -> None:
    table = list(csv.DictReader(io.StringIO(cli("history", "export").out)))
    lines = [json.loads(line) for line in cli("history", "export", "--format", "jsonl").out.splitlines()]
    assert list(lines[0]) == COLUMNS.split(",")
    assert [{name: _as_csv(value) for name, value in line.items()} for line in lines] == table
    assert lines[0]["settled"] is True
    assert type(lines[0]["count"]) is int


def _as_csv(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    ("options", "starts"),
    [
        (("--bucket", "1d"), {"1d"}),
        (("--bucket", "1h"), {"1h"}),
        (("--dataset", "credit_usage"), {"1h", "1d"}),
    ],
)
def test_a_width_or_a_dataset_may_be_asked_for(
    cli: Cli, watched: Path, options: tuple[str, ...], starts: set[str]
) -> None:
    rows = list(csv.DictReader(io.StringIO(cli("history", "export", *options).out)))
    assert {row["bucket"] for row in rows} == starts


@pytest.mark.parametrize(("since", "first"), [("2h", "2026-11-22T13"), ("2026-11-22T10:30Z", "2026-11-22T11")])
def test_since_is_an_age_or_a_time(cli: Cli, watched: Path, since: str, first: str) -> None:
    rows = list(csv.DictReader(io.StringIO(cli("history", "export", "--bucket", "1h", "--since", since).out)))
    assert rows[0]["start"].startswith(first)


def test_what_is_not_stored_is_not_an_empty_table(cli: Cli, watched: Path) -> None:
    ran = cli("history", "export", "--dataset", "credits")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "usage-watch: --dataset: nothing is stored of 'credits'; there is credit_usage.\n"


def test_a_spreadsheet_runs_nothing_and_json_is_exact() -> None:
    row = ExportRow("credit_usage", "1h", NOW, "", "Project", '=HYPERLINK("http://x")\r\n\x1b[2J', 1, True)
    table, lines = io.StringIO(), io.StringIO()
    write_csv(table, [row, replace(row, category="-1"), replace(row, category="a,b")])
    write_jsonl(lines, [row])
    _, first, second, third = csv.reader(io.StringIO(table.getvalue()))
    assert first[5] == '\'=HYPERLINK("http://x") [2J'
    assert (second[5], third[5]) == ("'-1", "a,b")
    assert json.loads(lines.getvalue())["category"] == row.category
    assert lines.getvalue().count("\n") == 1


@pytest.mark.parametrize("write", [write_csv, write_jsonl])
def test_rows_are_written_as_they_come(write: Callable[[TextIO, Iterable[ExportRow]], None]) -> None:
    out = io.StringIO()
    written: list[int] = []

    def rows() -> Iterator[ExportRow]:
        for number in range(3):
            written.append(out.getvalue().count("\n"))
            yield ExportRow("credit_usage", "1h", NOW + timedelta(hours=number), "", "", "", number, True)

    write(out, rows())
    assert written == sorted(set(written)), "each row is out before the next is asked for"


def test_a_reader_that_has_seen_enough_is_no_error(watched: Path) -> None:
    with closing(sqlite3.connect(watched.parent / "usage-watch.db")) as database, database:
        # More than a pipe holds.
        database.executemany(
            "INSERT INTO series (feed_id, axis, category, member) VALUES (1, 'Model', ?, '')",
            [(f"model {number}",) for number in range(2_000)],
        )
        database.execute(
            "INSERT OR IGNORE INTO bucket (series_id, start, count, seen_at) "
            "SELECT series.id, start, 1, 0 FROM series JOIN fetch USING (feed_id) WHERE category LIKE 'model %'"
        )
    command = "set -o pipefail; python -m usage_watch history export | head -1"
    done = subprocess.run(
        ["bash", "-c", command.replace("python", sys.executable)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, COLUMNS + "\n", "")


def test_backfill_fetches_what_is_missing_and_says_so(cli: Cli, rules: Path, source: SimulatorServer) -> None:
    ran = cli("history", "backfill")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "2 feeds read: 216 new buckets, 0 revised.\n"
    assert cli("history", "export").out.count("\n") > 144
    asked = len(source.requests)
    assert cli("history", "backfill").out == "2 feeds read: 0 new buckets, 0 revised.\n"
    assert len(source.requests) > asked, "it asks, due or not"


def test_backfill_of_a_source_that_cannot_be_read_ends_with_3(cli: Cli, rules: Path, source: SimulatorServer) -> None:
    source.api = replace(source.api, enabled=False)
    ran = cli("history", "backfill")
    assert (ran.code, ran.out) == (3, "0 feeds read: 0 new buckets, 0 revised.\n")
    assert ran.err.count("switched off for the organization") == 1
    assert ran.err.count("\n") == 1


def test_backfill_without_a_key_ends_with_2(cli: Cli, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERPLEXITY_ANALYTICS_API_KEY")
    ran = cli("history", "backfill")
    assert ran.code == 2
    assert ran.err == (
        "usage-watch: env PERPLEXITY_ANALYTICS_API_KEY is not set: set it where usage-watch is started.\n"
    )


def test_backfill_shows_progress_on_a_terminal_and_none_in_a_pipe(rules: Path, source: SimulatorServer) -> None:
    rules.write_text(rules.read_text().replace("backfill: 6d", "backfill: 20d"))
    code, seen = on_terminal("history", "backfill")
    assert code == 0
    assert "\r\x1b[Kreading credit_usage 1h: until 2026-11-09 14:00 UTC" in seen
    shown = seen.replace("\x1b[K", "").splitlines()[-1].split("\r")[-1]
    assert shown.endswith("feeds read: 500 new buckets, 0 revised."), "and the line is gone"
    (rules.parent / "usage-watch.db").unlink()
    ran = process("history", "backfill")
    assert (ran.out, ran.err) == ("2 feeds read: 500 new buckets, 0 revised.\n", "")


def test_progress_makes_way_for_the_log(rules: Path, source: SimulatorServer, clock: SteppedClock) -> None:
    rules.write_text(rules.read_text().replace("backfill: 6d", "backfill: 20d"))
    source.now = lambda: _broken_after(source, 2)
    code, seen = on_terminal("history", "backfill", "-v")
    assert code == 3
    logged = next(line for line in seen.splitlines() if "feed.failed" in line)
    assert logged.split("\x1b[K")[-1].startswith("20"), "the log's line begins where the progress was"


def _broken_after(source: SimulatorServer, requests: int) -> datetime:
    if len(source.requests) >= requests:
        source.api = replace(source.api, enabled=False)
    return NOW
