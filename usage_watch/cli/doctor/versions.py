"""Which versions run here, and what is known to be wrong with them."""

from __future__ import annotations

from usage_watch.cli.doctor.finding import Finding, note, ok

Version = tuple[int, int, int]

_BROKEN_FROM, _MENDED_IN = (3, 7, 0), (3, 51, 3)
_MENDED_TOO = ((3, 44, 6), (3, 50, 7))
"""Earlier lines of SQLite that the mending was brought to."""


def versions(ours: str, python: str, sqlite: Version) -> list[Finding]:
    """A finding each."""
    return [ok("usage-watch", ours), ok("Python", python), _sqlite(sqlite)]


def resets_wal_wrongly(sqlite: Version) -> bool:
    """Whether two connections that write or checkpoint at the same moment may damage a database."""
    mended = any(line[:2] == sqlite[:2] and sqlite >= line for line in _MENDED_TOO)
    return _BROKEN_FROM <= sqlite < _MENDED_IN and not mended


def _sqlite(sqlite: Version) -> Finding:
    written = ".".join(map(str, sqlite))
    if not resets_wal_wrongly(sqlite):
        return ok("SQLite", written)
    return note(
        "SQLite",
        f"{written} can damage a database that two connections write at the same moment (its WAL-reset fault). "
        "usage-watch is safe, as each of its writers holds one lock; other programs are not.",
        "Let no other program write into the database while the daemon runs. A Python with SQLite 3.51.3 or later "
        "(or 3.50.7, 3.44.6) mends it.",
    )
