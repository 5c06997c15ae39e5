"""How it goes in one line: what `systemctl status` shows."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from usage_watch.core.units import local_time
from usage_watch.vitals import Snapshot


def status_line(rules: int, snapshot: Snapshot, next_at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """`3 rules; data until 12:00; 1 alert open; next turn 12:15 UTC`; and what is wrong, where something is."""
    known = [feed.data_until for feed in snapshot.feeds if feed.data_until is not None]
    until = local_time(datetime.fromtimestamp(max(known), zone), zone, now) if known else None
    waiting = sum(each.pending for each in snapshot.channels)
    parts = [
        _count(rules, "rule"),
        "no data yet" if until is None else f"data until {until}",
        f"{_count(sum(each.count for each in snapshot.alerts), 'alert')} open",
        *([f"{_count(snapshot.failing, 'feed')} unread"] if snapshot.failing else []),
        *([f"{_count(waiting, 'message')} waiting"] if waiting else []),
        f"next turn {local_time(next_at, zone, now)} {next_at.astimezone(zone).tzname()}",
    ]
    return "; ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
