"""When people work: weekly profiles in local hours, and where the hours of a UTC day lie in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from .arrays import FloatArray, IntArray
from .organization import Member, Rhythm

_HOURS = np.arange(24)


def local_hours(day: int, zone: ZoneInfo) -> IntArray:
    """Hour of the local week (0 = Monday 00:00, to 167) of each of the 24 hours of a UTC day since the epoch."""
    midnight = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    local = [(midnight + timedelta(hours=hour)).astimezone(zone) for hour in range(24)]
    return np.array([at.weekday() * 24 + at.hour for at in local])


def working_profiles(members: tuple[Member, ...]) -> FloatArray:
    """[member, hour of the local week]: what she does herself, as a share of a weekday's usage."""
    own: FloatArray = _profiles()[[member.rhythm for member in members]] * (1 - _scheduled(members))
    return own


def scheduled_profiles(members: tuple[Member, ...]) -> FloatArray:
    """[member, hour of the local week]: what runs for her by schedule, as a share of a weekday's usage."""
    return _week(_bump(2.0, 2.2), [1.0] * 7) * _scheduled(members)


def attendance(profiles: FloatArray) -> FloatArray:
    """[member, weekday]: how likely she works that day at all; on her quiet days few come, and do a good part."""
    by_day = profiles.reshape(-1, 7, 24).sum(axis=2)
    likely: FloatArray = np.minimum(0.95, np.sqrt(by_day / by_day.max(axis=1, keepdims=True)))
    return likely


def _scheduled(members: tuple[Member, ...]) -> FloatArray:
    return np.array([[member.scheduled] for member in members])


def _profiles() -> FloatArray:
    """[rhythm, hour of the local week]."""
    office = _bump(10.3, 1.7) + 0.92 * _bump(15.0, 2.0) + 0.08 * _bump(20.5, 1.5) + 0.008
    evening = 0.7 * _bump(11.0, 2.0) + _bump(20.0, 2.3) + 0.02
    americas = _bump(16.3, 1.9) + 0.9 * _bump(21.0, 2.2) + 0.015
    rows = {
        Rhythm.OFFICE: _week(office, [1.0, 1.07, 1.05, 1.02, 0.86, 0.09, 0.08]),
        Rhythm.EVENING: _week(evening, [1.0, 1.0, 1.02, 1.0, 0.98, 0.75, 0.80]),
        Rhythm.AMERICAS: _week(americas, [1.0, 1.05, 1.05, 1.0, 0.90, 0.12, 0.15]),
    }
    return np.stack([rows[rhythm] for rhythm in Rhythm])


def _bump(centre: float, width: float) -> FloatArray:
    """A bell over the hours of a day that goes on past midnight."""
    distance = np.abs(_HOURS + 0.5 - centre)
    bell: FloatArray = np.exp(-0.5 * (np.minimum(distance, 24 - distance) / width) ** 2)
    return bell


def _week(day: FloatArray, weekdays: list[float]) -> FloatArray:
    week = np.outer(weekdays, day).ravel()
    scaled: FloatArray = week * (5 / week[: 5 * 24].sum())
    return scaled
