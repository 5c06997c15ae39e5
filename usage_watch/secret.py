"""Secrets: the rules file names where they are to be had, and only memory holds them.

A secret is read anew for each use, so that a rotated file heals without a restart, and nothing but `reveal()` shows it.
"""

from __future__ import annotations

import hmac
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from usage_watch.errors import SecretError

MAX_BYTES = 64 * 1024


class Secret:
    """A value that no repr, str, format, pickle or `dataclasses.asdict` shows; so it must not be a dataclass."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """The secret itself: for a header or a login, and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (secret.reveal().encode(errors="surrogatepass") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not written anywhere: keep its reference")


_ADVICE = "write {env: NAME}, {file: PATH} or {credential: NAME}; secrets are never written in this file"
_KINDS = {
    "env": (r"^[A-Za-z_][A-Za-z0-9_]*$", "The name of an environment variable"),
    "file": (r"^[^\u0000]+$", "The path of a file that holds the secret and nothing else"),
    "credential": (r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$", "The name of a systemd credential, without a path"),
}


class SecretRef(BaseModel):
    """Where a secret is to be had: exactly one of an environment variable, a file and a systemd credential.

    Whoever prints a ValidationError goes through `complaints`: the error itself carries what was written, which may be
    a literal secret, and `hide_input_in_errors` counts only in the outermost model's config.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    env: str | None = None
    """Name of an environment variable."""
    file: str | None = None
    """Path of a file."""
    credential: str | None = None
    """Name of a file in $CREDENTIALS_DIRECTORY."""

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, written: Any) -> Any:
        if not isinstance(written, Mapping) or len(written) != 1 or not written.keys() <= _KINDS.keys():
            raise ValueError(_ADVICE)
        [(kind, name)] = written.items()
        pattern, meaning = _KINDS[kind]
        if not isinstance(name, str) or not re.fullmatch(pattern, name):
            raise ValueError(f"`{kind}` takes {meaning[0].lower()}{meaning[1:]}, not the secret itself")
        return written

    @model_serializer
    def _written(self) -> dict[str, str]:
        return dict([self._given()])

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        choices = [
            {
                "type": "object",
                "properties": {kind: {"type": "string", "pattern": pattern, "description": meaning}},
                "required": [kind],
                "additionalProperties": False,
            }
            for kind, (pattern, meaning) in _KINDS.items()
        ]
        return {"title": "SecretRef", "description": "Where a secret is to be had", "oneOf": choices}

    def describe(self) -> str:
        """`env NAME`, `file PATH` or `credential NAME`."""
        return " ".join(self._given())

    def read(self, environ: Mapping[str, str]) -> Secret:
        """The secret as it is now, without one trailing line end. Raises SecretError, which never shows it."""
        text = self._from_environ(environ) if self.env else self._from_file(environ)
        text = re.sub(r"\r?\n\Z", "", text)
        if fault := _fault(text):
            raise SecretError(f"{self.describe()} {fault}.")
        return Secret(text)

    def warnings(self, environ: Mapping[str, str]) -> list[str]:
        """What is unwise about a secret that can be read: a sentence each."""
        if self.env:
            return []
        try:
            path = self._path(environ)
            mode = path.stat().st_mode
        except (SecretError, OSError):
            return []
        advice = f"{self.describe()} can be read by every user of this machine: run `chmod o-rwx {path}`."
        return [advice] if mode & stat.S_IROTH else []

    def _given(self) -> tuple[str, str]:
        return next((kind, name) for kind in _KINDS if (name := getattr(self, kind)))

    def _path(self, environ: Mapping[str, str]) -> Path:
        if self.file:
            return Path(self.file)
        directory = environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            advice = f"add `LoadCredential={self.credential}:PATH` to the systemd unit"
            raise SecretError(f"{self.describe()} is not there, for $CREDENTIALS_DIRECTORY is not set: {advice}.")
        return Path(directory, self.credential or "")

    def _from_environ(self, environ: Mapping[str, str]) -> str:
        text = environ.get(self.env or "")
        if text is None:
            raise SecretError(f"{self.describe()} is not set: set it where usage-watch is started.")
        return text

    def _from_file(self, environ: Mapping[str, str]) -> str:
        path = self._path(environ)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise SecretError(f"{self.describe()} is no regular file: write the secret into one.")
            with path.open("rb") as file:
                found = file.read(2 * MAX_BYTES)
        except OSError as error:
            advice = "write the secret into it, readable by the user of usage-watch"
            raise SecretError(f"{self.describe()} cannot be read ({error.strerror}): {advice}.") from None
        # A strict decoder's error would carry the secret; `_fault` refuses what is escaped here.
        return found.decode("utf-8-sig", errors="surrogateescape")


def complaints(error: ValidationError) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """The path and the sentence of each thing that pydantic refused, without what was written there."""
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        yield problem["loc"], problem["msg"].removeprefix("Value error, ")


def _fault(text: str) -> str | None:
    """Why a text cannot be a secret. A control character inside would let it write headers of its own."""
    if not text.strip():
        return "is empty: write the secret there"
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        return f"is longer than {MAX_BYTES // 1024} KiB: write the secret there and nothing else"
    if re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", text):
        return "has a line break or something else inside that is no text: write the secret alone, on one line"
    return None
