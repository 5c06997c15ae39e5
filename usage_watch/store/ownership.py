"""What root makes beside a service's files is the service's, or it could not start again."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def make_for_owner(path: Path) -> None:
    """Where root is about to make a file in somebody's directory: an empty one, which belongs to them.

    Never one that is there already: it may be a link of theirs that leads elsewhere.
    """
    if os.geteuid() != 0:
        return
    owner = path.parent.stat()
    if owner.st_uid == 0:
        return
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        finally:
            os.close(descriptor)
