"""`usage-watch`, also `python -m usage_watch`: the way in."""

from __future__ import annotations

import sys

from usage_watch import __version__


def main() -> None:
    """Run the command line, and end with its exit code."""
    if sys.argv[1:] == ["--version"]:
        # Nothing else is imported: this is how people measure whether a tool is heavy.
        print(f"usage-watch {__version__}")  # noqa: T201
        return
    import signal

    # Whoever is told to end tidies up: a database is closed, what the demo started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        from usage_watch.cli.entry import run
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
