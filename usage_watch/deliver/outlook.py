"""What becomes of a message, and of its target, after an attempt that failed: alike for every kind of channel. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from usage_watch.channels.base import Attempt, Verdict
from usage_watch.store.outbox import Failure, OutboxRow, State

FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=15)
BLOCKED_WAIT = timedelta(hours=1)
"""After which a target is tried again that somebody must mend first."""
EXPIRES_AFTER = timedelta(hours=72)


def outlook(row: OutboxRow, attempt: Attempt, now: datetime, jitter: float) -> Failure:
    """What follows. `jitter`, from 0 to 1, is the part that is waited of the longest wait.

    A target that fails is left alone for a while, with all that is for it: what it refuses as such is the row's own
    affair.
    """
    expires_at = row.created_at + EXPIRES_AFTER
    if attempt.verdict is Verdict.REJECTED:
        return _refused(row, attempt, now)
    if now >= expires_at:
        return _failure(row, attempt, State.DEAD, None, _wait(attempt, row.failures + 1, jitter) + now, now)
    if attempt.verdict is Verdict.CONFIGURATION:
        retry_at = now + BLOCKED_WAIT
        return _failure(row, attempt, State.BLOCKED, retry_at, retry_at, now)
    # Who asks for more patience than there is gets one last attempt.
    retry_at = min(now + _wait(attempt, row.attempts, jitter), expires_at)
    target_retry_at = min(now + _wait(attempt, row.failures + 1, jitter), expires_at)
    return _failure(row, attempt, State.QUEUED, retry_at, target_retry_at, now)


def _refused(row: OutboxRow, attempt: Attempt, now: datetime) -> Failure:
    """Nothing will make it take this message: but it may take the least of it."""
    if row.minimal:
        return _failure(row, attempt, State.DEAD, None, None, now)
    return _failure(row, attempt, State.QUEUED, now, None, now, minimal=True)


def _failure(
    row: OutboxRow,
    attempt: Attempt,
    state: State,
    retry_at: datetime | None,
    target_retry_at: datetime | None,
    now: datetime,
    minimal: bool = False,
) -> Failure:
    return Failure(
        detail=attempt.detail,
        state=state,  # type: ignore[arg-type]
        retry_at=retry_at,
        unsure=attempt.verdict is Verdict.AMBIGUOUS,
        minimal=minimal or row.minimal,
        target_retry_at=target_retry_at,
        expired_from=now - EXPIRES_AFTER,
    )


def _wait(attempt: Attempt, failures: int, jitter: float) -> timedelta:
    """Full jitter: many that failed together must not all come back together."""
    if attempt.retry_after is not None:
        # Who asks for no patience at all must not be asked without end, nor who asks for years stop all that comes.
        return min(max(attempt.retry_after, FIRST_WAIT * jitter), EXPIRES_AFTER)
    doubled: int = 2 ** min(failures - 1, 16)
    return min(FIRST_WAIT * doubled, LONGEST_WAIT) * jitter
