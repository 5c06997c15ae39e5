from __future__ import annotations

import socket
import ssl
from urllib.error import URLError

import pytest

from usage_watch.channels.network import why_unreachable


def wrapped(error: Exception) -> Exception:
    """As libraries wrap it."""
    try:
        try:
            raise error
        except Exception as inner:
            raise RuntimeError("with a secret in it") from inner
    except RuntimeError as outer:
        return outer


WHY = {
    "certificate": (ssl.SSLCertVerificationError("secret"), "certificate could not be verified"),
    "TLS": (ssl.SSLError("secret"), "no TLS connection"),
    "name": (socket.gaierror("secret"), "could not be resolved"),
    "refused": (ConnectionRefusedError("secret"), "connection was refused"),
    "time": (TimeoutError("secret"), "did not answer in time"),
    "reset": (ConnectionResetError("secret"), "connection was lost"),
    "other": (OSError("secret"), "connection failed"),
}


@pytest.mark.parametrize(("error", "says"), WHY.values(), ids=WHY.keys())
def test_why_somebody_was_not_reached_is_told_by_the_kind_of_error(error: Exception, says: str) -> None:
    for seen in (error, wrapped(error), URLError(error)):
        assert says in why_unreachable(seen)
        assert "secret" not in why_unreachable(seen)
