"""Standard Webhooks: the signature by which a receiver knows that a message is ours, whole and fresh. Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime

from usage_watch.errors import SecretError

_MARK = "whsec_"


def signing_key(secret: str) -> bytes:
    """The key of a secret: the base64 after `whsec_`, else the text's own bytes; SecretError where it is neither."""
    if not secret.startswith(_MARK):
        return secret.encode()
    encoded = secret.removeprefix(_MARK)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise SecretError("A webhook's signing secret begins with whsec_ but is no base64 after it: copy it anew.")
    return key


def signature_headers(message_id: str, sent_at: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers of one message, one signature per key; without keys it goes unsigned."""
    timestamp = str(int(sent_at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    headers = {"webhook-id": message_id, "webhook-timestamp": timestamp}
    if digests:
        headers["webhook-signature"] = " ".join(f"v1,{digest}" for digest in digests)
    return headers
