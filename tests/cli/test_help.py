from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from tests.cli.conftest import Cli
from tests.cli.office import process
from usage_watch.cli.entry import cli as program


def _commands(group: click.Group, *before: str) -> Iterator[tuple[str, ...]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        yield (*before, name)
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from _commands(command, *before, name)


EVERY = list(_commands(program))


def test_every_command_of_this_version_is_there() -> None:
    assert {" ".join(command) for command in EVERY} == {
        "demo",
        "init",
        "run",
        "check",
        "status",
        "alerts",
        "budget",
        "top",
        "chart",
        "alerts ack",
        "alerts expected",
        "alerts list",
        "alerts rebaseline",
        "alerts show",
        "silence",
        "silence add",
        "silence expire",
        "silence list",
        "silence preview",
        "backtest",
        "history",
        "history backfill",
        "history export",
        "history forget",
        "history prune",
        "channels",
        "channels list",
        "channels manifest",
        "channels test",
        "reload",
        "simulate",
        "schema",
        "health",
        "doctor",
        "backup",
    }


def test_the_help_has_a_line_a_command_and_the_exit_codes(cli: Cli) -> None:
    ran = cli("--help")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    listed = [line.split()[0] for line in lines[lines.index("Commands:") + 1 :] if line[:2] == "  " and line[2] != " "]
    assert listed[:7] == ["demo", "init", "run", "check", "status", "alerts", "budget"]
    assert listed[7:14] == ["top", "chart", "silence", "backtest", "history", "channels", "reload"]
    assert listed[14:19] == ["simulate", "schema", "health", "doctor", "backup"]
    for code in (0, 1, 2, 3, 4, 5, 70):
        assert any(line.split()[:1] == [str(code)] for line in lines)


@pytest.mark.parametrize("command", [(), *EVERY], ids=" ".join)
def test_each_help_reads_well_in_80_columns(cli: Cli, command: tuple[str, ...]) -> None:
    ran = cli(*command, "-h")
    assert (ran.code, ran.err) == (0, "")
    assert ran == cli(*command, "--help")
    assert ran.out.startswith(f"Usage: usage-watch {' '.join(command)}".rstrip())
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "..." not in ran.out.replace("[ARGS]...", ""), "no summary is cut"


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_each_option_says_what_it_does(command: tuple[str, ...]) -> None:
    found: click.Command = program
    for name in command:
        assert isinstance(found, click.Group)
        [found] = filter(None, [found.get_command(click.Context(found), name)])
    assert found.help
    options = [parameter for parameter in found.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("st", ["status"]), ("history ex", ["export"]), ("alerts s", ["show"]), ("silence a", ["add"])],
)
def test_a_shell_may_complete(monkeypatch: pytest.MonkeyPatch, typed: str, offered: list[str]) -> None:
    words = ["usage-watch", *typed.split()]
    monkeypatch.setenv("_USAGE_WATCH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert process().out.split() == [f"plain,{name}" for name in offered]


def test_completion_in_this_process(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_USAGE_WATCH_COMPLETE", "zsh_source")
    ran = cli()
    assert (ran.code, ran.err) == (0, "")
    assert "#compdef usage-watch" in ran.out
