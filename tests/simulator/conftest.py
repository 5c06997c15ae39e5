"""Worlds that are slow to make, made once."""

import pytest

from usage_watch.simulator import Scenario

from .asking import START, STORY, Asker, asker


@pytest.fixture(scope="session")
def story() -> Asker:
    """Lag, a stop and a runaway."""
    return asker(STORY)


@pytest.fixture(scope="session")
def prompt() -> Asker:
    """An organization whose store has everything at once."""
    return asker(Scenario(seed=11, start_at=START, lag=None))
