"""Mail: one thread per conversation, over SMTP with verified TLS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from usage_watch.channels.base import ChannelSettings, Sender
from usage_watch.core.addresses import local_host
from usage_watch.errors import SecretError, UsageError
from usage_watch.secret import SecretRef

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"(?:{_LABEL}\.)*{_LABEL}"
_ADDRESS = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@{_DOMAIN}")
_HOST = re.compile(rf"{_DOMAIN}|[0-9A-Fa-f:.]+:[0-9A-Fa-f:.]*")


def _address(written: str) -> str:
    if len(written) > 254 or not _ADDRESS.fullmatch(written):
        raise ValueError("write a plain mail address such as ana@example.com")
    return written


def _some(written: tuple[str, ...]) -> tuple[str, ...]:
    # Not min_length: pydantic would call a list with one bad address too short as well.
    if not 1 <= len(written) <= 50:
        raise ValueError("write 1 to 50 mail addresses")
    return written


def _host(written: str) -> str:
    if len(written) > 253 or not _HOST.fullmatch(written):
        raise ValueError("write the mail server's name or address alone, such as smtp.example.com")
    return written


MailAddress = Annotated[str, AfterValidator(_address)]


class EmailSettings(ChannelSettings):
    """Sends mail through a server of yours."""

    kind: Literal["email"] = Field(description="Sends mail.")
    host: Annotated[str, AfterValidator(_host)] = Field(description="The mail server's name or address.")
    port: int = Field(
        default=587, strict=True, ge=1, le=65535, description="587 for starttls, 465 for tls, 25 for none."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the connection is encrypted; the certificate is verified. With `none` a password goes only "
        "to this machine.",
    )
    cafile: str | None = Field(default=None, description="PEM file of the CAs to trust, in place of the system's.")
    username: str | None = Field(default=None, min_length=1, description="Logs in with this name; with `password`.")
    password: SecretRef | None = Field(default=None, description="Logs in with this password; with `username`.")
    sender: MailAddress = Field(description="The address that mail comes from.")
    recipients: Annotated[tuple[MailAddress, ...], AfterValidator(_some)] = Field(
        description="Who gets it.", json_schema_extra={"minItems": 1, "maxItems": 50}
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("`username` and `password` go together: write both, or neither")
        if self.username is not None and not (self.username.isascii() and self.username.isprintable()):
            raise ValueError("`username` must be plain ASCII: SMTP knows no other")
        if self.security == "none" and self.password is not None and not local_host(self.host):
            raise ValueError("a password must not travel unencrypted: write `security: starttls` or `tls`")
        if self.security == "none" and self.cafile is not None:
            raise ValueError("`cafile` needs encryption: write `security: starttls` or `tls`, or leave it out")
        return self

    def connect(self, environ: Mapping[str, str]) -> Sender:
        """Open the channel; SecretError or UsageError where its password or CA file is not to be had."""
        from usage_watch.channels.email.mail import Mailbox
        from usage_watch.channels.email.smtp import (
            Server,
            SmtpSender,
            tls_context,
        )  # smtplib costs 40 ms: only who sends pays

        if self.cafile is not None and not Path(self.cafile).is_file():
            raise UsageError(f"The CA file {self.cafile} is not there: write the path of a PEM file as `cafile`.")
        try:
            context = None if self.security == "none" else tls_context(self.cafile)
        except OSError:
            raise UsageError(f"The CA file {self.cafile} cannot be read as PEM certificates.") from None
        server = Server(self.host, self.port, self.security, context, self._login(environ))
        return SmtpSender(server, Mailbox(self.sender, self.recipients))

    def _login(self, environ: Mapping[str, str]) -> tuple[str, str] | None:
        if self.username is None or self.password is None:
            return None
        password = self.password.read(environ).reveal()
        if not password.isascii():
            raise SecretError(f"{self.password.describe()} holds letters beyond ASCII, which SMTP log-in does not take")
        return self.username, password
