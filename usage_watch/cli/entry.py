"""The command group, and what becomes of errors."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from usage_watch import __version__
from usage_watch.cli.session import Session
from usage_watch.errors import UsageWatchError

_COMMANDS = {
    "demo": "usage_watch.cli.demo:demo",
    "run": "usage_watch.cli.run:run",
    "check": "usage_watch.cli.check:check",
    "status": "usage_watch.cli.status:status",
    "alerts": "usage_watch.cli.alerts:alerts",
    "history": "usage_watch.cli.history:history",
    "channels": "usage_watch.cli.channels:channels",
    "simulate": "usage_watch.cli.simulate:simulate",
    "schema": "usage_watch.cli.schema:schema",
}


class _Lazy(click.Group):
    """A group that imports a command's file when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name].split(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="USAGE_WATCH_CONFIG",
    help="The rules file; ./rules.yaml by default, or $USAGE_WATCH_CONFIG.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log more, and show where a fault of ours comes from.")
@click.version_option(__version__, prog_name="usage-watch", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, verbose: bool) -> None:
    """Watch an organization's usage of Perplexity Computer; tell people once, in time, with the reason.

    New here? `usage-watch demo` needs no key and no network.
    """
    ctx.obj = Session(config or Path("rules.yaml"), verbose)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and answer its exit code; nothing that a user can cause ends in a traceback."""
    try:
        answer = cli.main(list(arguments), prog_name="usage-watch", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except UsageWatchError as error:
        click.echo(f"usage-watch: {error}" if "\n" not in str(error) else str(error), err=True)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain of it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        _ours(error, "-v" in arguments or "--verbose" in arguments)
        return 70
    return answer if isinstance(answer, int) else 0


def _ours(error: Exception, verbose: bool) -> None:
    if verbose:
        traceback.print_exception(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    advice = "please report it, with the output of the same command with -v"
    click.echo(f"usage-watch: a fault of ours ({type(error).__name__} at {where}); {advice}.", err=True)
