"""Who may read and write a file, and what that means for what is in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from usage_watch.cli.doctor.finding import Finding, note, warning


@dataclass(frozen=True, slots=True)
class Access:
    """Of one file."""

    path: Path
    mode: int
    """Its permissions alone."""
    owner: str
    """The user's name, or number where it has none."""
    mine: bool
    """Whether it is this user's, or this user is root."""
    reachable: bool
    """Whether every user may come as far as its directory."""

    @property
    def read_by_all(self) -> bool:
        """Every user of this machine may read it."""
        return self.reachable and bool(self.mode & stat.S_IROTH)

    @property
    def written_by_all(self) -> bool:
        """Every user of this machine may write it."""
        return self.reachable and bool(self.mode & stat.S_IWOTH)


def access(path: Path) -> Access | None:
    """What is known of a file; None where this user cannot even see it."""
    path = Path(os.path.realpath(path))
    try:
        found = path.stat()
        reachable = all(each.stat().st_mode & stat.S_IXOTH for each in path.parents)
    except OSError:
        return None
    return Access(
        path=path,
        mode=stat.S_IMODE(found.st_mode),
        owner=_name(found.st_uid),
        mine=os.geteuid() in (0, found.st_uid),
        reachable=reachable,
    )


def of_modes(found: Access, holds: str) -> Iterator[Finding]:
    """What is unwise about a file that `holds` something."""
    if found.written_by_all:
        said = f"every user of this machine may write {found.path}."
        yield warning("mode", f"{found.mode:04o}: {said}", f"Run `chmod o-w {found.path}`.")
    if found.read_by_all:
        said = f"every user of this machine may read {found.path}, which holds {holds}."
        do = f"If that is not meant, run `chmod o-rwx {found.path}`, and see that the daemon's user may still read it."
        yield note("mode", f"{found.mode:04o}: {said}", do)


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
