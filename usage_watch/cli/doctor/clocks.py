"""Our clock against the source's."""

from __future__ import annotations

from datetime import datetime, timedelta

from usage_watch.cli.doctor.finding import Finding, fault, note, ok, warning
from usage_watch.core.units import spell_duration

_SLACK = timedelta(seconds=2)
"""Its time is in whole seconds, and as old as its answer."""
_OFF = timedelta(minutes=1)
_WRONG = timedelta(hours=1)
"""By a whole bucket: what is over and what is not is judged wrongly."""
_DO = "Have this machine's clock set by NTP: `timedatectl` says whether it is."


def of_clock(source_at: datetime | None, asked_at: datetime, answered_at: datetime) -> Finding:
    """Between asking and having the answer, by our clock, it was `source_at` by the source's."""
    if source_at is None:
        return note("clock", "the source did not say what time it is there, so that nothing can be said of ours.")
    if source_at > answered_at:
        off, where = source_at - answered_at, "behind"
    else:
        off, where = max(asked_at - source_at, timedelta()), "ahead of"
    if off <= _SLACK:
        return ok("clock", "goes as the source's")
    said = f"it is {spell_duration(off)} {where} the source's"
    if off < _OFF:
        return ok("clock", said)
    return fault("clock", f"{said}.", _DO) if off >= _WRONG else warning("clock", f"{said}.", _DO)
