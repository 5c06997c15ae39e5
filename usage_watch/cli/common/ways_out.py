"""What becomes of errors: an exit code, and one sentence each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

from usage_watch.errors import MachineError, RulesFileError, UsageWatchError

INTERRUPTED, OURS = 130, 70
_PACKAGE = Path(__file__).parents[2]


def prepare() -> None:
    """What the encoding of a terminal lacks is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def guarded(work: Callable[[], int], verbose: bool) -> int:
    """Do it, and answer its exit code, or that of the error it ended with."""
    try:
        return work()
    except click.exceptions.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, click.Abort):
        complain("")  # after the terminal's ^C
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        return 0
    except click.ClickException as error:
        complain(f"usage-watch: {_usage(error)}")
        return error.exit_code
    except UsageWatchError as error:
        complain(_sentences(error))
        return error.exit_code
    except OSError as error:
        complain(f"usage-watch: {_refused(error)}")
        return MachineError.exit_code
    except Exception as error:
        _own_up(error, verbose)
        return OURS


def settle() -> int:
    """Write what is still to be written; where nobody takes it, see to it that Python does not complain at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        _silence(sys.stdout)
        raise
    return 0


def complain(text: str) -> None:
    """Say it on the standard error, if anybody listens there; as an event, where programs do."""
    if text and "usage_watch.logs" in sys.modules:
        from usage_watch import logs

        if logs.complained(text):
            return
    try:
        click.echo(text, err=True)
    except OSError:
        _silence(sys.stderr)


def _silence(stream: TextIO) -> None:
    with suppress(OSError), Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _usage(error: click.ClickException) -> str:
    message = error.format_message()
    ctx = getattr(error, "ctx", None)
    stop = "" if message.endswith((".", "?", ")")) else "."
    return f"{message}{stop} See `{ctx.command_path if ctx else 'usage-watch'} --help`."


def _sentences(error: UsageWatchError) -> str:
    """One or more; those of a rules file begin with file, line and column, as editors expect it."""
    if isinstance(error, RulesFileError):
        return str(error)
    return "\n".join(f"usage-watch: {line}" for line in str(error).splitlines())


def _refused(error: OSError) -> str:
    of_what = f" ({error.filename})" if error.filename else ""
    return f"this machine refused it: {error.strerror or error}{of_what}; mend that and try again."


def _own_up(error: Exception, verbose: bool) -> None:
    import traceback

    if verbose:
        complain("".join(traceback.format_exception(error)).rstrip())
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    at = f"{Path(ours[-1].filename).relative_to(_PACKAGE)}:{ours[-1].lineno}"
    advice = "please report it, with the output of the same command with -v"
    complain(f"usage-watch: a fault of ours ({type(error).__name__} at {at}); {advice}.")
