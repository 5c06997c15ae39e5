"""From findings to episodes: the one fold that every rule kind goes through, live and in replay.

A rule judges each bucket of a series; the fold makes runs of them. Nothing here knows the time: what has been polled
when, and how often, cannot change an episode once its buckets are settled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from usage_watch.core.message import Severity
from usage_watch.core.series import Flags, Floats, Ints


class State(IntEnum):
    """What may be used of a bucket's finding."""

    UNKNOWN = 0
    CLEAR = 1
    HOLD = 2
    BREACH = 3


@dataclass(frozen=True, slots=True)
class Level:
    """One step of a rule, or of a part of it."""

    severity: Severity
    limit: float
    """In the unit of the rule's statistic; a score for zscore, an amount for a budget."""
    grade: int
    """From 1. Higher is graver, and means the same when other levels come or go: an edit must not escalate."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many buckets it takes."""

    for_buckets: int
    """Adjacent breaches, until an episode opens."""
    resolve_buckets: int
    """Settled clears, until it has ended."""


@dataclass(frozen=True, slots=True)
class Findings:
    """One series of a rule, judged bucket by bucket. All arrays have shape (n,)."""

    labels: Mapping[str, str]
    """Which series: `{"Model": "claude-opus-4-8"}`; empty for a total."""
    levels: tuple[Level, ...]
    """What the ranks mean: a level's rank is its place here, from 1."""
    width: int
    """Seconds a bucket."""
    starts: Ints
    """Epoch seconds, `width` apart."""
    ranks: NDArray[np.int8]
    """The highest level that the bucket stands at; 0 for none."""
    holding: Flags
    """Below the lowest level, but not yet past `clear_at`."""
    settled: Flags
    """Whether all that was judged is settled; false where anything was not fetched."""
    grows: bool
    """Whether late numbers can only raise the values."""
    worse: NDArray[np.int8]
    """1 where higher is worse, -1 where lower is, 0 where both are."""
    values: Floats
    """What was judged, in the rule's unit."""
    limits: Floats
    """The limit of the level reached; of the lowest where none is."""
    scores: Floats | None = None
    """Standard deviations from the usual; None for rules without a score."""
    usual: Floats | None = None
    """What was expected; None for rules that expect nothing."""
    part: str | None = None
    period_at: datetime | None = None
    """Start of the budget's period; None elsewhere."""
    closed: str | None = None
    """Why an episode that is still open at the last bucket closes there; None where it goes on."""
    quiet: bool = False
    """Whether the end of an episode is no news to people."""
    newest: bool = False
    """Whether it speaks of its newest breach: what was expected earlier is no news, however bad it looked."""

    def states(self) -> NDArray[np.int8]:
        """What may be used of each bucket: the direction rule, in its only place.

        Late numbers only add. So what can only rise further past its line is used at once: a count over its limit, and
        one that is back over the least that was expected. Everything else waits until it is settled: the end of what
        was too much, all that is too little, and every ratio. Settledness decides when a finding is used, never its
        value.
        """
        certain = np.where(self.ranks > 0, self.worse > 0, ~self.holding & (self.worse < 0))
        usable = self.settled | (certain & self.grows)
        return np.where(usable, self.faces(), State.UNKNOWN).astype(np.int8)

    def faces(self) -> NDArray[np.int8]:
        """What each bucket would be, were all that is known final."""
        faces = np.where(self.ranks > 0, State.BREACH, np.where(self.holding, State.HOLD, State.CLEAR))
        return faces.astype(np.int8)


@dataclass(frozen=True, slots=True)
class Episode:
    """A run of buckets, as indices into its findings."""

    first: int
    """The first bucket of the breaches that opened it."""
    last: int
    """Its newest bucket in breach or hold."""
    ended: bool
    """Whether enough settled clears followed, or its findings close."""
    closes: bool
    """Whether it is its findings that end it."""
    rank: int
    """The highest level that `for` adjacent buckets stood at."""
    peak: int
    """The bucket in breach that it speaks of: that which stood furthest beyond its limit, or the newest."""


def fold(findings: Findings, for_buckets: int, resolve_buckets: int) -> list[Episode]:
    """Make episodes of findings, in time order and without overlap.

    An episode opens with `for_buckets` adjacent breaches and ends with `resolve_buckets` clears; a hold or a breach
    sets that count back to zero. An unknown bucket counts for nothing; but as long as all that follows looks like a
    breach or a hold, the episode lasts.
    """
    states, faces = findings.states(), findings.faces()
    sustained = _sustained(np.where(states == State.BREACH, findings.ranks, 0), for_buckets)
    openings = np.flatnonzero(sustained)
    episodes: list[Episode] = []
    after = 0
    while after < len(openings):
        opened = int(openings[after])
        last, end = _walk(states, faces, opened, resolve_buckets)
        first = opened - for_buckets + 1
        closes = end is None and findings.closed is not None
        ended = end is not None or closes
        rank = int(sustained[opened : last + 1].max())
        episodes.append(Episode(first, last, ended, closes, rank, _peak(findings, states, first, last)))
        after = len(openings) if end is None else int(np.searchsorted(openings, end))
    return episodes


def _sustained(ranks: NDArray[np.int8], for_buckets: int) -> NDArray[np.int8]:
    """For each bucket the level that it and the `for_buckets - 1` before it all stand at."""
    if for_buckets == 1 or not len(ranks):
        return ranks
    padded = np.concatenate([np.zeros(for_buckets - 1, ranks.dtype), ranks])
    lowest: NDArray[np.int8] = sliding_window_view(padded, for_buckets).min(axis=1)
    return lowest


def _walk(
    states: NDArray[np.int8], faces: NDArray[np.int8], opened: int, resolve_buckets: int
) -> tuple[int, int | None]:
    """Follow an open episode: its last bucket in breach or hold, and the bucket after the clears that ended it.

    That bucket may be the one after the newest; None while the episode goes on. Zeros that are not settled yet, between
    those that are and the usage that ends an outage, were part of it.
    """
    # Plain numbers: this loop is the hot one.
    hold, clear = int(State.HOLD), int(State.CLEAR)
    last, clears, whole = opened, 0, True
    walked = zip(states[opened + 1 :].tolist(), faces[opened + 1 :].tolist(), strict=True)
    for index, (state, face) in enumerate(walked, opened + 1):
        if state >= hold or (whole and face >= hold):
            last, clears, whole = index, 0, True
            continue
        whole = False
        if state == clear:
            clears += 1
            if clears == resolve_buckets:
                return last, index + 1
    return last, None


def _peak(findings: Findings, states: NDArray[np.int8], first: int, last: int) -> int:
    """The bucket of the highest level, and among those the one furthest beyond its limit; the oldest of equals.

    The last of them, where findings speak of their newest.
    """
    span = slice(first, last + 1)
    ranks = np.where(states[span] == State.BREACH, findings.ranks[span], 0)
    if findings.newest:
        return first + int(np.flatnonzero(ranks == ranks.max())[-1])
    measure = findings.values if findings.scores is None else findings.scores
    beyond = np.abs(measure[span] - (findings.limits[span] if findings.scores is None else 0.0))
    return first + int(np.argmax(np.where(ranks == ranks.max(), beyond, -1.0)))


def looks_over(findings: Findings, episode: Episode, resolve_buckets: int, data_until: int | None) -> bool:
    """Whether an episode that goes on would have ended, were what is known final.

    `data_until`: end of the newest bucket with usage, epoch seconds. The zeros after it say nothing yet.
    """
    if episode.ended or data_until is None:
        return False
    until = int(np.searchsorted(findings.starts, data_until))
    faces = findings.faces()[:until]
    return _walk(faces, faces, episode.last, resolve_buckets)[1] is not None


@dataclass(frozen=True, slots=True)
class Run:
    """Episodes of one series so close to each other that people see one incident; reopened, not new."""

    started_at: int
    """Epoch seconds."""
    ended_at: int | None
    """End of the last bucket, epoch seconds; None while it goes on."""
    latest: Episode
    """The newest of its episodes: its level and evidence are the incident's."""


def runs(findings: Findings, episodes: Sequence[Episode], gap_buckets: int) -> list[Run]:
    """Join episodes that open at most `gap_buckets` after the end of the one before."""
    joined: list[Run] = []
    for episode in episodes:
        started_at = int(findings.starts[episode.first])
        if joined and _close(joined[-1], started_at, gap_buckets * findings.width):
            started_at = joined.pop().started_at
        ended_at = int(findings.starts[episode.last]) + findings.width if episode.ended else None
        joined.append(Run(started_at, ended_at, episode))
    return joined


def _close(run: Run, started_at: int, gap: int) -> bool:
    return run.ended_at is not None and started_at - run.ended_at <= gap
