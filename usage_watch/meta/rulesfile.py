"""The rules file was changed into something that cannot be used: the rules of before hold until it is mended."""

from __future__ import annotations

from collections.abc import Iterator

from usage_watch.core.incident import Happening
from usage_watch.core.message import Fact, Severity
from usage_watch.core.units import quantity
from usage_watch.meta.sight import Sight
from usage_watch.meta.telling import evidence, happening, rule_name

RULE = rule_name("config_rejected", "Rules file not taken up")
NAMED = 3
"""How many of its faults a message shows."""


def happenings(sight: Sight) -> Iterator[Happening]:
    """One, from the first time that it was read so until it is read and can be used."""
    refused = sight.refused
    if refused is None:
        return
    faults = refused.why.splitlines()
    shown = "; ".join(faults[:NAMED]) + (f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else "")
    seen = evidence(
        unit="faults",
        value=len(faults),
        limit=0,
        from_at=refused.since,
        until_at=refused.since,
        summary=f"the rules file cannot be used as it is ({quantity(len(faults), 'faults')}), and was not taken up",
        facts=(
            Fact("Why", shown),
            Fact("What it means", "The rules of before hold, all of them; after a restart nothing would be watched"),
            Fact("What to do", "`usage-watch check` until it finds nothing, then `usage-watch reload`"),
        ),
        after="The rules file can be used, and holds.",
    )
    yield happening(RULE, {}, Severity.WARNING, refused.since, None, seen)
