"""What every test may rely on."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    # A shell starts what it sends to the background deaf to Ctrl-C, and so would every process be that a test starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
