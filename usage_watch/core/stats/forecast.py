"""Will the budget last? A forecast in closed form that takes its uncertainty from its own record.

The rest of a period is a level times the factors of its weekdays. How wrong that was in the past, at several horizons,
says how wrong it may be now: textbook intervals know the noise, and not that usage changes its level.
Arrays of days have shape (days, budgets): one call judges any number of budgets that share their days.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from usage_watch.core.series import Flags, Floats, Ints
from usage_watch.core.stats import student

EMBARGO = 2
"""Days up to the frontier that are not learned: only what ended 48 h before may be."""
LEARNED = 56
"""Days that are learned at most: eight of each weekday."""
HALF_LIFE = 10.0
"""Days after which a day weighs half in the level."""
OFTEN, PSEUDO = 4, 2
"""A weekday seen fewer times than `OFTEN` is shrunk to 1 with `PSEUDO` average days."""
LEAST = 7
"""Learned days without which nothing is forecast for the record."""
HORIZONS = np.array([1, 3, 7, 14])
"""Days ahead at which the record is kept."""
WEEK = 2
"""Which of the horizons is the one of 7 days: people are told of it, and it corrects what is always wrong."""
DRIFT = 4e-4
"""Least variance that a level gains in a day: nobody's stands still."""
CORRECTED, MOST = 0.5, 0.3
"""Share of the usual logarithmic error that the forecast is corrected by, and the most that it is: growth goes on."""
SHOWN_FROM, TOLD_FROM = 14, 28
"""Settled days from which a forecast is shown, and from which people may be told of it."""
TAIL = 0.1
"""Probability on each side of the 80 % interval."""
NEEDED, TIMES, CALM = 2, 2, 0.5
"""Frontier days in a row that begin and end what is told; how often in a period; the probability that ends it."""
_BLOCK = 256
"""Budgets that are learned at once: what that takes stays near the processor."""
_HOUR = 1 / 24
_LOWEST = 0.05
"""The least share of a forecast that counts as a logarithmic error, for nothing at all may have come."""


class Speaks(StrEnum):
    """What a forecast is good for, by how many days it rests on."""

    NO = "no"
    SHOWN = "shown"
    TOLD = "told"


@dataclass(frozen=True, slots=True)
class Rest:
    """The days between the end of the frontier day and the end of the period, in order; arrays of shape (rest,)."""

    weekdays: Ints
    """0 to 6, counted as those of the history."""
    shares: Floats
    """How much of the day's usual usage lies in the rest; 1 but for days that an end cuts."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """How a period will end; shape (budgets,), amounts in the history's unit, NaN where nothing can be said."""

    median: Floats
    """Spent at the end of the period."""
    low: Floats
    """Spent at the end of the period, at least so much with 90 %."""
    high: Floats
    """Spent at the end of the period, at most so much with 90 %."""
    over: Floats
    """Probability that the limit is reached by the end of the period; 1 where it is reached already."""
    run_out: Ints
    """(3, budgets): index into the rest's days by whose end the limit is reached with 10, 50 and 90 %.

    The number of those days where none is (or nothing can be said), -1 where the limit is reached already.
    """
    pace: Floats
    """What may be spent a day to stay inside; 0 where the limit is reached, infinite where no day is left."""
    record: Floats
    """Four of five past 7-day forecasts were wrong by at most this share of themselves."""
    days: int
    """Settled days that it rests on, with the last `EMBARGO`."""
    speaks: Speaks

    def one(self, place: int) -> Forecast:
        """That of one budget, with arrays of length 1."""
        own = slice(place, place + 1)
        return Forecast(
            median=self.median[own],
            low=self.low[own],
            high=self.high[own],
            over=self.over[own],
            run_out=self.run_out[:, own],
            pace=self.pace[own],
            record=self.record[own],
            days=self.days,
            speaks=self.speaks,
        )


@dataclass(frozen=True, slots=True)
class Model:
    """What was learned of each budget; shape (budgets,) but for the factors."""

    levels: Floats
    """An average day's usage, after correction."""
    factors: Floats
    """(7, budgets), with mean 1."""
    noise: Floats
    """Relative variance of a day alone."""
    drift: Floats
    """Relative variance that the level gains in a day."""
    record: Floats
    """As in `Forecast`."""

    def paths(self, rest: Rest) -> Floats:
        """(rest, budgets): the median of what is spent by the end of each day."""
        return np.cumsum(self.levels * self.factors[rest.weekdays] * rest.shares[:, None], axis=0)

    def spreads(self, rest: Rest) -> Floats:
        """(rest, budgets): the scale of each path's logarithm."""
        ahead = np.maximum(np.cumsum(rest.shares), _HOUR)[:, None]
        return np.sqrt(np.log1p(self.noise / ahead + self.drift * ahead / 3))


def forecast(history: Floats, weekdays: Ints, rest: Rest, spent: Floats, limits: Floats) -> Forecast:
    """Forecast the end of a period from the end of its frontier day.

    `history` (days, budgets) holds the settled days up to the frontier day, which is the last, without gaps;
    `weekdays` (days,) are 0 to 6; `spent` and `limits` (budgets,) are the period's, limits above 0. Where a learned
    day is NaN (never fetched), nothing can be said of that budget.
    """
    days = min(len(history), EMBARGO + LEARNED)
    learned = slice(len(history) - days, len(history) - EMBARGO)
    speaks = Speaks.NO if days < SHOWN_FROM else Speaks.SHOWN if days < TOLD_FROM else Speaks.TOLD
    model = unknown(len(spent)) if speaks == Speaks.NO else learn(history[learned], weekdays[learned])
    nu = max(3.0, (days - SHOWN_FROM) / 7)
    room, paths, spreads = limits - spent, model.paths(rest), model.spreads(rest)
    # A period without any day left ends as it stands.
    median, spread = (paths[-1], spreads[-1]) if len(paths) else (np.zeros(len(spent)), np.ones(len(spent)))
    reach = student.quantile(1 - TAIL, nu)
    with np.errstate(divide="ignore"):
        pace = np.maximum(room, 0) / rest.shares.sum() if len(paths) else np.full(len(spent), np.inf)
    return Forecast(
        median=spent + median,
        low=spent + median * np.exp(-reach * spread),
        high=spent + median * np.exp(reach * spread),
        over=_over(room, median, spread, nu),
        run_out=_run_out(room, paths, spreads, reach),
        pace=np.where(room > 0, pace, 0.0),
        record=model.record,
        days=days,
        speaks=speaks,
    )


def told(over: Floats, may: Flags, probability: float) -> Flags:
    """On which frontier days of one period people stand told that the limit will be passed.

    `over` (days, budgets) are the forecasts' probabilities, NaN where there is none; `may` says where one may be told
    anew. It begins on the second day in a row at `probability` or above, ends on the second below `CALM`, and begins
    at most `TIMES` times.
    """
    rising, calm, times = (np.zeros(over.shape[1:], dtype=np.int64) for _ in range(3))
    standing = np.zeros(over.shape, dtype=bool)
    now = np.zeros(over.shape[1:], dtype=bool)
    for day, chance in enumerate(over):
        rising = np.where(chance >= probability, rising + 1, 0)
        calm = np.where(chance < CALM, calm + 1, np.where(np.isnan(chance), calm, 0))
        begins = ~now & (rising >= NEEDED) & may[day] & (times < TIMES)
        times = times + begins
        now = (now & (calm < NEEDED)) | begins
        standing[day] = now
    return standing


def unknown(budgets: int) -> Model:
    """Nothing was learned."""
    nothing = np.full(budgets, np.nan)
    return Model(nothing, np.ones((7, budgets)), nothing, nothing, nothing)


def learn(usage: Floats, weekdays: Ints) -> Model:
    """Learn from `usage` (days, budgets), at least `LEAST + EMBARGO + 1` days, the last `EMBARGO` days before the end
    of the frontier day.
    """
    blocks = [_learn(usage[:, at : at + _BLOCK], weekdays) for at in range(0, max(usage.shape[1], 1), _BLOCK)]
    return Model(
        levels=np.concatenate([each.levels for each in blocks]),
        factors=np.concatenate([each.factors for each in blocks], axis=1),
        noise=np.concatenate([each.noise for each in blocks]),
        drift=np.concatenate([each.drift for each in blocks]),
        record=np.concatenate([each.record for each in blocks]),
    )


def _learn(usage: Floats, weekdays: Ints) -> Model:
    days = len(usage)
    # An origin is the first day that a forecast is about. Those of the record, then the one of today.
    origins = np.append(np.arange(LEAST + EMBARGO, days), days + EMBARGO)
    week = np.eye(7)[weekdays]
    levels, factors = _fit(usage, week, origins)
    errors = [_errors(usage, week, origins[:-1], levels[:-1], factors[:-1], ahead) for ahead in HORIZONS]
    noise, drift = _variances(errors)
    return Model(levels[-1] * _correction(errors[WEEK]), factors[-1], noise, drift, _record(errors[WEEK]))


def _fit(usage: Floats, week: Floats, origins: Ints) -> tuple[Floats, Floats]:
    """Levels (origins, budgets) and factors (origins, 7, budgets), each from what ended in time before its origin.

    `week` (days, 7) is 1 at each day's weekday.
    """
    ages = origins[:, None] - EMBARGO - 1 - np.arange(len(usage))
    seen = (ages >= 0).astype(np.float64)
    weights = seen * 2.0 ** (-np.maximum(ages, 0) / HALF_LIFE)
    counts = seen @ week
    means = (seen @ usage) / seen.sum(axis=1)[:, None]
    pseudo = np.where(counts < OFTEN, PSEUDO, 0)[:, :, None]
    sums = (seen[:, None, :] * week.T) @ usage
    factors = (sums + pseudo * means[:, None]) / (counts[:, :, None] + pseudo)
    average = factors.mean(axis=1, keepdims=True)
    factors = np.divide(factors, average, out=np.ones_like(factors), where=average != 0)
    return (weights @ usage) / _dot(weights @ week, factors), factors


def _errors(usage: Floats, week: Floats, origins: Ints, levels: Floats, factors: Floats, ahead: int) -> Floats:
    """Relative errors (origins, budgets) of the forecasts of `ahead` days; NaN where nothing was forecast."""
    whole = origins + ahead <= len(usage)
    starts, ends = origins[whole], origins[whole] + ahead
    sums, days = _running(usage), _running(week)
    expected = levels[whole] * _dot(days[ends] - days[starts], factors[whole])
    came = sums[ends] - sums[starts]
    return np.divide(came, expected, out=np.full_like(came, np.nan), where=expected > 0) - 1


def _variances(errors: list[Floats]) -> tuple[Floats, Floats]:
    """Noise and drift (budgets,): least squares of v(h) = noise / h + drift h / 3, neither below 0.

    Each horizon counts by how many forecasts it has.
    """
    counts = np.array([np.isfinite(each).sum(axis=0) for each in errors], dtype=np.float64)
    squares = np.array([np.nansum(each**2, axis=0) for each in errors])
    shrinking, growing = 1 / HORIZONS[:, None], HORIZONS[:, None] / 3
    ss, gg = (counts * shrinking**2).sum(axis=0), (counts * growing**2).sum(axis=0)
    sg = (counts * shrinking * growing).sum(axis=0)
    sv, gv = (squares * shrinking).sum(axis=0), (squares * growing).sum(axis=0)
    noise, drift = sv * gg - gv * sg, gv * ss - sv * sg
    both = (noise > 0) & (drift > 0)
    alone = noise > 0
    noise = _ratio(np.where(both, noise, sv * alone), np.where(both, ss * gg - sg**2, ss))
    drift = _ratio(np.where(both, drift, gv * ~alone), np.where(both, ss * gg - sg**2, gg))
    return noise, np.maximum(drift, DRIFT)


def _correction(errors: Floats) -> Floats:
    """What to multiply the level with, from the 7-day forecasts' errors (origins, budgets)."""
    logs = np.log(np.maximum(1 + errors, _LOWEST))
    usual = _ratio(np.nansum(logs, axis=0), np.isfinite(logs).sum(axis=0).astype(np.float64))
    corrected: Floats = np.exp(np.clip(CORRECTED * usual, -MOST, MOST))
    return corrected


def _record(errors: Floats) -> Floats:
    """The least share (budgets,) within which four of five errors lie; NaN without any."""
    if not len(errors):
        return np.full(errors.shape[1], np.nan)
    # NaN sorts last.
    ordered = np.sort(np.abs(errors), axis=0)
    needed = np.ceil((1 - 2 * TAIL) * np.isfinite(errors).sum(axis=0)).astype(np.int64)
    return np.asarray(np.take_along_axis(ordered, np.maximum(needed - 1, 0)[None], axis=0)[0])


def _over(room: Floats, median: Floats, spread: Floats, nu: float) -> Floats:
    """The probability that what is still to come fills the room."""
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = student.cdf(-np.log(room / median) / spread, nu)
    return np.where(room <= 0, 1.0, np.where(median == 0, 0.0, chance))


def _run_out(room: Floats, paths: Floats, spreads: Floats, reach: float) -> Ints:
    """(3, budgets): the first day by whose end a high, the median and a low path fill the room."""
    found = np.empty((3, len(room)), dtype=np.int64)
    for row, stretch in enumerate((reach, 0.0, -reach)):
        full = paths * np.exp(stretch * spreads) >= room
        found[row] = np.where(full.any(axis=0), full.argmax(axis=0) if len(full) else 0, len(full))
    return np.where(room <= 0, -1, found)


def _dot(weights: Floats, factors: Floats) -> Floats:
    """(origins, 7) with (origins, 7, budgets): sums over the week, (origins, budgets)."""
    return np.asarray((weights[:, None, :] @ factors)[:, 0])


def _running(values: Floats) -> Floats:
    """Sums of the first 0, 1, … rows."""
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])


def _ratio(above: Floats, below: Floats) -> Floats:
    """The quotient; 0 where there is nothing to divide by."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
