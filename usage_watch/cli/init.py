"""`usage-watch init`: a first rules file, from a few answers."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from usage_watch import places
from usage_watch.cli.common.printing import count
from usage_watch.cli.common.session import Command, Session, pass_session
from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from usage_watch.cli.draft import Draft

T = TypeVar("T")

_OPTIONS = {
    "slack": ("slack-channel",),
    "slack-webhook": ("slack-webhook",),
    "email": ("email-to", "email-host", "email-user", "email-from"),
}
"""By the way to tell people, what says that it is meant."""
_WHENCE = {
    "PERPLEXITY_ANALYTICS_API_KEY": "the organization's analytics key",
    "SLACK_BOT_TOKEN": "usage-watch channels manifest slack",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/…",
    "SMTP_PASSWORD": "of the mail server's user",
}
"""By environment variable, where its value is to be had."""


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--zone", metavar="NAME", help="Time zone, such as Europe/Berlin; default this machine's.")
@click.option("--billing-day", metavar="DAY", help="Day of the month on which a billing cycle starts; default 1.")
@click.option("--limit", metavar="CREDITS", help="To spend in a cycle at most; default none.")
@click.option("--slack-channel", metavar="CHANNEL", help="Tell people by a Slack app, in this channel.")
@click.option("--slack-webhook", is_flag=True, default=None, help="Tell people by a Slack webhook.")
@click.option("--email-to", metavar="ADDRESSES", help="Tell people by mail; commas between addresses.")
@click.option("--email-host", metavar="HOST", help="The mail server; asked on port 587, with STARTTLS.")
@click.option("--email-user", metavar="NAME", help="Who logs in there; default none.")
@click.option("--email-from", metavar="ADDRESS", help="Where mail comes from; default usage-watch@DOMAIN.")
@click.option("--suggest", is_flag=True, help="Propose rules from stored history; printed, unless FILE is named.")
@click.option("--print", "printed", is_flag=True, help="Print the file to standard output, write none.")
@pass_session
def init(session: Session, /, file: Path | None, suggest: bool, printed: bool, **options: str | bool | None) -> None:
    """Write a first rules file of ten lines, and say what comes next.

    On a terminal, without options, it asks for what it needs; else it asks nothing, and what no option says is as by
    default: without --slack-… or --email-… people are told on standard output. No secret is asked for or written: the
    file names the environment variables that hold them. A file that is there already is left alone. Without FILE it is
    the file of --config.

    With --suggest the rules come from stored history, each with how often it would have fired; all else is taken from
    the file of --config, where there is one.
    """
    given = {name.replace("_", "-"): str(value) for name, value in options.items() if value is not None}
    path = file or session.config_path
    printed = printed or (suggest and file is None)
    if not printed:
        _refuse_to_overwrite(path)
    if suggest:
        text, said = _suggested(session, given), _try_it(path, printed)
    else:
        draft = _drafted(given)
        text, said = draft.text(), _next(draft, path, printed)
    if printed:
        click.echo(text, nl=False)
    else:
        _write(path, text)
    click.echo(said, err=printed)


def _drafted(given: Mapping[str, str]) -> Draft:
    from usage_watch.cli.questions import drafted

    return drafted(_Dialogue() if not given and _at_terminal() else _Options(given), os.environ)


def _suggested(session: Session, given: Mapping[str, str]) -> str:
    """A rules file of what stored history calls for."""
    from usage_watch import yamlfile
    from usage_watch.cli.suggest.text import head_from, head_of, suggested
    from usage_watch.config import read

    if not os.path.lexists(session.config_path):
        draft = _drafted(given)
        config = read(yamlfile.parse(draft.text().encode(), str(session.config_path)))
        return suggested(session, config, head_from(draft), draft.limit)
    if given:
        said = ", ".join(f"--{name}" for name in given)
        raise UsageError(f"{session.config_path} says already what {said} would; leave it out, or change it there.")
    document = yamlfile.load(session.config_path)
    return suggested(session, read(document), head_of(document), None)


def _try_it(path: Path, printed: bool) -> str:
    file = "NEW" if printed else shlex.quote(str(path))
    head = f"\nSave it as {file}, and see" if printed else f"\n{_shown(path)} is written. See"
    return (
        f"{head} what it would have told, against what is told now:\n\n"
        f"  usage-watch check {file}\n  usage-watch backtest --rules {file} --diff"
    )


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


class _Dialogue:
    """Asks whoever sits there, until the answer is one."""

    def __init__(self) -> None:
        # What is no text in the terminal's encoding is a wrong answer, as it is in an option.
        if reconfigure := getattr(sys.stdin, "reconfigure", None):
            reconfigure(errors="surrogateescape")
        click.echo("A first rules file. Enter takes what stands in brackets; Ctrl-C writes nothing.\n")

    def __call__(self, option: str, question: str, default: str | None, take: Callable[[str], T]) -> T:
        def taken(text: str) -> T:
            try:
                return take(text.strip())
            except ValueError as error:
                raise click.UsageError(str(error)) from None

        answer: T = click.prompt(question, default=default, value_proc=taken)
        return answer


class _Options:
    """Has all answers already."""

    def __init__(self, given: Mapping[str, str]) -> None:
        ways = [way for way, options in _OPTIONS.items() if any(option in given for option in options)]
        if len(ways) > 1:
            raise UsageError("Choose one of --slack-channel, --slack-webhook and --email-to; add others to the file.")
        self._given = dict(given) | ({"tell": ways[0]} if ways else {})

    def __call__(self, option: str, question: str, default: str | None, take: Callable[[str], T]) -> T:
        text = self._given.get(option, default)
        if text is None:
            raise UsageError(f"--{option} is missing: mail needs --email-to and --email-host.")
        try:
            return take(text.strip())
        except ValueError as error:
            raise UsageError(f"--{option}: {error}") from None


def _refuse_to_overwrite(path: Path) -> None:
    if os.path.lexists(path):
        raise UsageError(_there_already(path))
    if not path.parent.is_dir():
        raise UsageError(f"The directory {path.parent} is not there: make it, or name a file elsewhere.")


def _there_already(path: Path) -> str:
    return (
        f"{path} is there already and stays as it is: move it away, name another file, or print a new one with --print."
    )


def _write(path: Path, text: str) -> None:
    """All of it or nothing, and never over another's."""
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        raise UsageError(_there_already(path)) from None
    try:
        with file:
            file.write(text)
    except BaseException:
        path.unlink()
        raise


def _next(draft: Draft, path: Path, printed: bool) -> str:
    """What to do now."""
    variables = ["PERPLEXITY_ANALYTICS_API_KEY", *draft.variables]
    exports = [f"  export {name}=…" for name in variables]
    width = max(map(len, exports))
    found = path == places.rules_file(os.environ)
    where = "" if found else f" --config {shlex.quote(str(path))}"
    commands = (f"check{where}", f"channels test {draft.channel_name}{where}", f"run{where}")
    lines = count(draft.text().count("\n"), "line")
    head = "" if printed else f"{_shown(path)} is written: {lines}. "
    return "\n".join(
        [
            f"\n{head}Next, set {'this' if len(variables) == 1 else 'these'} and try it:\n",
            *(f"{line:<{width}}  # {_WHENCE[name]}" for line, name in zip(exports, variables, strict=True)),
            *(f"  usage-watch {command}" for command in commands),
        ]
    )


def _shown(path: Path) -> str:
    from usage_watch.core.plain import plain

    return plain(str(path), 500)
