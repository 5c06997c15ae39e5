"""The command group."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module

import click

from usage_watch import __version__, places
from usage_watch.cli.common.session import Noun, Session
from usage_watch.cli.common.ways_out import guarded, prepare, settle

_NAME = "usage-watch"
_COMPLETE = "_USAGE_WATCH_COMPLETE"
"""Set by the shell functions that `_USAGE_WATCH_COMPLETE=bash_source usage-watch` prints."""

_COMMANDS = {
    "demo": "usage_watch.cli.demo:demo",
    "init": "usage_watch.cli.init:init",
    "run": "usage_watch.cli.run:run",
    "check": "usage_watch.cli.check:check",
    "status": "usage_watch.cli.status:status",
    "alerts": "usage_watch.cli.alerts:alerts",
    "budget": "usage_watch.cli.budget:budget",
    "top": "usage_watch.cli.top:top",
    "chart": "usage_watch.cli.chart:chart",
    "silence": "usage_watch.cli.silence:silence",
    "backtest": "usage_watch.cli.backtest:backtest",
    "history": "usage_watch.cli.history:history",
    "channels": "usage_watch.cli.channels:channels",
    "reload": "usage_watch.cli.reload:reload",
    "simulate": "usage_watch.cli.simulate:simulate",
    "schema": "usage_watch.cli.schema:schema",
    "health": "usage_watch.cli.health:health",
    "doctor": "usage_watch.cli.doctor.command:doctor",
    "backup": "usage_watch.cli.backup:backup",
}
"""In the order in which somebody new needs them."""


class _Program(Noun):
    """Imports a command's file when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS:
            module, name = _COMMANDS[cmd_name].split(":")
            command = getattr(import_module(module), name)
            assert isinstance(command, click.Command)
            return command
        meant = get_close_matches(cmd_name, _COMMANDS, 1)
        if meant and not ctx.resilient_parsing:
            ctx.fail(f"No such command {cmd_name!r}; did you mean {meant[0]!r}?")
        return None


_EXIT_CODES = """\
\b
Exit codes:
  0   fine
  1   something unacknowledged of warning or above is open (with --check)
  2   wrong usage or rules file
  3   the source could not be read
  4   a message could not be delivered
  5   this machine: database, directory, port, another daemon
  70  a fault of ours
"""


@click.group(cls=_Program, epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=_NAME, message="%(prog)s %(version)s")
def cli() -> None:
    """Watch an organization's usage of Perplexity Computer, and tell people once, in time, with the reason.

    New here? `usage-watch demo` needs no key and no network; `usage-watch init` writes a first rules file.
    """


def run(arguments: Sequence[str]) -> int:
    """Run a command line and answer its exit code; nothing that a user can cause ends in a traceback."""
    prepare()
    verbose = "-v" in arguments or "--verbose" in arguments
    code = guarded(lambda: _invoke(arguments), verbose)
    if not code:
        return guarded(settle, verbose)
    with suppress(OSError):
        settle()
    return code


def _invoke(arguments: Sequence[str]) -> int:
    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, _NAME, _COMPLETE, instruction)
    # Not cli.main(): that would end with 1 where a pipe is closed, which says that something is open.
    with cli.make_context(_NAME, list(arguments), obj=_session()) as ctx:
        answer = cli.invoke(ctx)
    return answer if isinstance(answer, int) else 0


def _session() -> Session:
    return Session(places.rules_file(os.environ))
