from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on loopback is asked directly, whatever proxy this machine has."""
    monkeypatch.setenv("NO_PROXY", "*")
