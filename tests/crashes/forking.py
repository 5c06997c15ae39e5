"""Runs of the command line, each a process of its own, forked from one that has imported everything.

That one is a process apart from whoever starts it: nothing but one thread may fork.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import random
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pydantic import TypeAdapter

import usage_watch
from usage_watch.rules.fields import Zone

LAZY = ("anyio", "certifi", "encodings.idna", "httpcore", "httpx", "numpy", "slack_sdk", "smtplib", "tzdata")
"""What the program imports when it is needed."""
LONG_WAITS = 459_424
"""A seed whose first seven draws are all above 0.78: so who failed is due no sooner than a run is patient, which would
cost 1.5 s each time."""


class Forks:
    """Starts runs, one at a time. A context manager that leaves no process behind."""

    def __enter__(self) -> Self:
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crashes.forking"],
            env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)

    def run(self, arguments: Sequence[str], environ: Mapping[str, str], said: Path) -> int:
        """`python -m usage_watch …` to its end, and its exit code: below zero, the signal that ended it.

        `environ` comes on top of this process' own; all that is printed goes to `said`.
        """
        orders, codes = self._process.stdin, self._process.stdout
        assert orders is not None
        assert codes is not None
        orders.write(json.dumps([list(arguments), dict(environ), str(said)]) + "\n")
        orders.flush()
        return int(codes.readline())


def serve(orders: IO[str], codes: IO[str]) -> None:
    """Import everything, and then fork a run for each order."""
    for module in pkgutil.walk_packages(usage_watch.__path__, "usage_watch."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in LAZY:
        import_module(name)
    TypeAdapter(Zone).validate_python("UTC")  # reads the whole zone database, once
    gc.freeze()
    for line in orders:
        child = os.fork()
        if not child:
            _live(*json.loads(line))
        codes.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        codes.flush()


def _live(arguments: Sequence[str], environ: Mapping[str, str], said: str) -> None:
    """As the child: be the program, and end as it does."""
    code = 70
    try:
        _redirect("/dev/null", os.O_RDONLY, 0)
        _redirect(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 1, 2)
        os.environ.update(environ)
        random.seed(LONG_WAITS)
        sys.argv = ["usage-watch", *arguments]
        from usage_watch.__main__ import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(path: str, flags: int, *descriptors: int) -> None:
    opened = os.open(path, flags, 0o644)
    for descriptor in descriptors:
        os.dup2(opened, descriptor)
    os.close(opened)


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
