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
    try:
        from usage_watch.cli.entry import run
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
