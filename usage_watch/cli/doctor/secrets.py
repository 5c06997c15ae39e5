"""Secrets: whether each is to be had; never what it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from usage_watch.cli.doctor.finding import RULES, Finding, fault, note, warning
from usage_watch.errors import SecretError
from usage_watch.secret import SecretRef

if TYPE_CHECKING:
    from pydantic import BaseModel


def secrets_of(settings: BaseModel) -> Iterator[SecretRef]:
    """Every secret that a section of the rules file names."""
    for value in (getattr(settings, name) for name in type(settings).model_fields):
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, SecretRef):
                yield each


def missing(about: str, settings: BaseModel, environ: Mapping[str, str], daemon: str | None) -> Iterator[Finding]:
    """A finding for each of its secrets that cannot be read here."""
    for ref in secrets_of(settings):
        try:
            ref.read(environ)
        except SecretError as error:
            yield _judged(about, ref, error, environ, daemon)


def _judged(about: str, ref: SecretRef, error: SecretError, environ: Mapping[str, str], daemon: str | None) -> Finding:
    """Where only this shell lacks it, the daemon may well have it."""
    if not _only_here(ref, environ):
        return fault(about, str(error), code=RULES)
    if daemon is not None:
        said = f"{ref.describe()} is not to be had here; the daemon that runs (pid {daemon}) has an environment of its"
        return note(about, f"{said} own.", "`usage-watch status` says whether it could use it.")
    return warning(about, str(error))


def _only_here(ref: SecretRef, environ: Mapping[str, str]) -> bool:
    if ref.env:
        return ref.env not in environ
    if ref.credential:
        return not environ.get("CREDENTIALS_DIRECTORY")
    path = Path(ref.file or "")
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return not os.access(path, os.R_OK, effective_ids=True)
