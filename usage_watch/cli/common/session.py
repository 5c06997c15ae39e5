"""What the commands share: the global options, the rules file and the database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.store.database import Database


@dataclass(frozen=True, slots=True)
class Session:
    """The global options, wherever they stand."""

    config_path: Path
    verbose: bool = False

    def config(self) -> Config:
        """Load the rules file; RulesFileError with every fault in it."""
        from usage_watch.config import load

        return load(self.config_path)

    def reading(self, config: Config) -> Database:
        """Open its database to look at it; MachineError where it is not there yet."""
        from usage_watch.store.database import open_for_reading

        return open_for_reading(Path(config.store.path))

    def writing(self, config: Config) -> Database:
        """Open it to write, beside a running daemon or without one; MachineError where it is not there yet."""
        from usage_watch.store.database import open_for_writing

        # Neither makes one nor upgrades it: that is the daemon's to do.
        self.reading(config).close()
        return open_for_writing(Path(config.store.path))

    def log(self, *, always: bool = False, form: str = "logfmt", level: str = "info") -> None:
        """Log to standard error if it was asked for, or `always`; else failures are said once, at the end."""
        import logging

        from usage_watch import logs

        if always or self.verbose:
            logs.start(self.verbose, form, level)
        else:
            # Without any handler, Python would print warnings of its own accord.
            logging.getLogger("usage_watch").handlers = [logging.NullHandler()]


pass_session = click.make_pass_decorator(Session)


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Options of a command go over those before its name."""
    session = ctx.find_object(Session)
    if value and session is not None:
        ctx.obj = replace(session, **{str(parameter.name): value})


def _global_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--config", "config_path"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            callback=_remember,
            expose_value=False,
            help="The rules file: $USAGE_WATCH_CONFIG, or else ./rules.yaml, or else /etc/usage-watch/rules.yaml.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            callback=_remember,
            expose_value=False,
            help="Log more, and show where a fault of ours comes from.",
        ),
    ]


class Command(click.Command):
    """A command that takes the global options too: they may stand on either side of its name."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += _global_options()


class Noun(click.Group):
    """A group of commands about one thing; alone it prints its help, as wrong usage."""

    command_class = Command

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += _global_options()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A summary each, which goes on in another line where click would cut it off."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(200)) for name, each in found if each is not None])


def json_option(command: Any) -> Any:
    """The option `--json`, passed on as `as_data`."""
    return click.option("--json", "as_data", is_flag=True, help="Print data for programs.")(command)
