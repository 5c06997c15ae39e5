"""What becomes of a message, and of its target, after an attempt that failed: alike for every kind of channel. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from usage_watch.channels.base import Attempt, Verdict
from usage_watch.store.outbox import Failed, Failure, OutboxRow, State

FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(minutes=1)
"""Of a target that fails: another message may fare better, and nothing new shall wait long once it is well."""
BLOCKED_WAIT = timedelta(hours=1)
"""After which a target is tried again that somebody must mend first."""
EXPIRES_AFTER = timedelta(hours=72)
KEEPS_PLACE = 3
"""So many attempts: a message that its target never takes must not hold up all others."""
LEAST_ATTEMPTS = 12
"""So often a message, or its target, is tried before it is given up for its age: nobody may have been there to send."""


def outlook(row: OutboxRow, attempt: Attempt, now: datetime, jitter: float) -> Failure:
    """What follows. `jitter`, from 0 to 1, is the part that is waited of the longest wait.

    A target that fails is left alone for a while, with all that is for it: what it refuses as such is the row's own
    affair.
    """
    if attempt.verdict is Verdict.REJECTED:
        return _refused(row, attempt, now)
    if now - row.created_at >= EXPIRES_AFTER and row.attempts >= LEAST_ATTEMPTS:
        return _failure(row, attempt, State.DEAD, None, _target_wait(row, attempt, now, jitter), now)
    if attempt.verdict is Verdict.CONFIGURATION:
        return _failure(row, attempt, State.BLOCKED, BLOCKED_WAIT, BLOCKED_WAIT, now)
    # Who is told to wait keeps its place before those that came later; else, and if it is told so again and again, what
    # failed steps back behind them.
    told_to_wait = attempt.verdict is Verdict.THROTTLED or attempt.retry_after is not None
    keeps_place = told_to_wait and row.attempts <= KEEPS_PLACE
    back = min(row.created_at - now, timedelta())
    wait = back if keeps_place else backoff(row.attempts, LONGEST_WAIT, jitter)
    return _failure(row, attempt, State.QUEUED, wait, _target_wait(row, attempt, now, jitter), now)


def _refused(row: OutboxRow, attempt: Attempt, now: datetime) -> Failure:
    """Nothing will make it take this message: but it may take the least of it."""
    if row.minimal:
        return _failure(row, attempt, State.DEAD, None, None, now)
    return _failure(row, attempt, State.QUEUED, timedelta(), None, now)


def _failure(
    row: OutboxRow,
    attempt: Attempt,
    state: Failed,
    wait: timedelta | None,
    target_wait: timedelta | None,
    now: datetime,
) -> Failure:
    return Failure(
        detail=attempt.detail,
        state=state,
        retry_at=None if wait is None else now + wait,
        unsure=attempt.verdict is Verdict.AMBIGUOUS,
        minimal=row.minimal or attempt.verdict is Verdict.REJECTED,
        target_retry_at=None if target_wait is None else now + target_wait,
        expired_from=now - EXPIRES_AFTER if row.failures + 1 >= LEAST_ATTEMPTS else None,
    )


def _target_wait(row: OutboxRow, attempt: Attempt, now: datetime, jitter: float) -> timedelta:
    if attempt.verdict is Verdict.CONFIGURATION:
        return BLOCKED_WAIT
    return _asked_for(row, attempt, now, jitter) or backoff(row.failures + 1, LONGEST_PAUSE, jitter)


def _asked_for(row: OutboxRow, attempt: Attempt, now: datetime, jitter: float) -> timedelta | None:
    """What the target asked for; of more patience than there is, what there is.

    Who asks for none at all must not be asked without end.
    """
    if attempt.retry_after is None:
        return None
    left = max(row.created_at + EXPIRES_AFTER - now, LONGEST_WAIT)
    return min(max(attempt.retry_after, FIRST_WAIT * jitter), left)


def backoff(failures: int, longest: timedelta, jitter: float) -> timedelta:
    """How long is waited after so many failures in a row; full jitter: what failed together must not come back so."""
    doubled: int = 2 ** min(failures - 1, 16)
    return min(FIRST_WAIT * doubled, longest) * jitter
