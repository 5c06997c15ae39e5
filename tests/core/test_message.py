from __future__ import annotations

from usage_watch.core.message import Reason, Severity


def test_severities_weigh_in_their_order() -> None:
    assert sorted(Severity, key=lambda severity: severity.weight) == ["info", "warning", "critical"]


def test_only_what_goes_on_is_firing() -> None:
    assert [reason for reason in Reason if reason.firing] == [Reason.FIRED, Reason.ESCALATED, Reason.REMINDER]


def test_a_correction_is_neither_firing_nor_an_end() -> None:
    assert [reason for reason in Reason if not reason.firing and not reason.ending] == [Reason.UPDATED]
    assert not any(reason.firing and reason.ending for reason in Reason)
