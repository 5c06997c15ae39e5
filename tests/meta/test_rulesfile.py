from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from usage_watch import meta
from usage_watch.core.message import Severity
from usage_watch.core.rulesfile import Refused
from usage_watch.meta import Sight

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_file_that_can_be_used_is_nothing_to_tell() -> None:
    assert meta.happenings(Sight(), ZoneInfo("UTC"), NOON) == []


@pytest.mark.parametrize(
    ("faults", "counted", "shown"),
    [
        (1, "1 fault", "rules.yaml:1:1: wrong"),
        (3, "3 faults", "rules.yaml:1:1: wrong; rules.yaml:2:1: wrong; rules.yaml:3:1: wrong"),
        (9, "9 faults", "rules.yaml:1:1: wrong; rules.yaml:2:1: wrong; rules.yaml:3:1: wrong; and 6 more"),
    ],
)
def test_a_refused_file_is_a_warning_with_its_first_faults(faults: int, counted: str, shown: str) -> None:
    why = "\n".join(f"rules.yaml:{line}:1: wrong" for line in range(1, faults + 1))
    (found,) = meta.happenings(Sight(refused=Refused(NOON, why, 2)), ZoneInfo("UTC"), NOON)
    assert (found.rule.id, found.severity, found.started_at) == ("meta:config_rejected", Severity.WARNING, NOON)
    assert found.ended_at is None
    assert counted in found.evidence.summary
    assert found.evidence.facts[0].value == shown
