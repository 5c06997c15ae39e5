"""Members of whom nothing is to be stored again, known by a keyed digest of their address and not by the address.

Whoever has the database and an address can find out whether it was forgotten: a filter must be able to. Nobody can read
the address from it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime

from usage_watch.core.series import EACH_MEMBER, Feed, Reading
from usage_watch.store.database import Database
from usage_watch.store.times import instant

NOBODY = "a member"
"""What stands in place of an address."""

_ADDRESS = re.compile(rb"[^\s\"'<>()\[\]{},;:@\\]+@[^\s\"'<>()\[\]{},;:@\\]+")

Known = Callable[[str], bool]


class Forgotten:
    """Who was forgotten, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, member: str, at: datetime) -> None:
        """Store nothing of a member again; inside a transaction."""
        if not self.knows()(member):
            row = self._db.one("SELECT salt FROM forgotten LIMIT 1")
            salt = secrets.token_bytes(16) if row is None else row[0]
            self._db.execute(
                "INSERT INTO forgotten (digest, salt, at) VALUES (?, ?, ?)", (_digest(member, salt), salt, instant(at))
            )

    def removing(self, member: str) -> None:
        """Counts of one who was forgotten are removed now, or just were; inside a transaction."""
        salts = self._db.query("SELECT DISTINCT salt FROM forgotten")
        digests = [(_digest(member, salt),) for (salt,) in salts]
        self._db.execute_many("UPDATE forgotten SET removals = removals + 1 WHERE digest = ?", digests)

    def removals(self) -> int:
        """How often counts of members were removed: another number means that there are fewer."""
        row = self._db.one("SELECT coalesce(sum(removals), 0) FROM forgotten")
        return 0 if row is None else int(row[0])

    def knows(self) -> Known:
        """A function that says of an address, in any case, whether it was forgotten by now."""
        rows = list(self._db.query("SELECT digest, salt FROM forgotten"))
        digests, salts = {digest for digest, _ in rows}, {salt for _, salt in rows}
        return lambda member: any(_digest(member, salt) in digests for salt in salts)

    def covers(self, feed: Feed) -> bool:
        """Whether a feed is the usage of one who was forgotten."""
        return feed.member is not None and self.knows()(feed.member)

    def without(self, reading: Reading) -> Reading:
        """A reading of all members, without theirs."""
        if reading.feed.scope != EACH_MEMBER or self._db.one("SELECT 1 FROM forgotten") is None:
            return reading
        gone = _among({key.member for key, _, _ in reading.rows if key.member}, self.knows())
        return (
            replace(reading, rows=tuple(row for row in reading.rows if row[0].member not in gone)) if gone else reading
        )

    def veiled(self, body: bytes) -> bytes:
        """An answer of the source as it is kept to be looked at, without their addresses."""
        if self._db.one("SELECT 1 FROM forgotten") is None:
            return body
        known = self.knows()

        def said(found: re.Match[bytes]) -> bytes:
            return NOBODY.encode() if known(found[0].decode(errors="replace")) else found[0]

        return _ADDRESS.sub(said, body)


def _among(members: Collection[str], known: Known) -> set[str]:
    return {member for member in members if known(member)}


def _digest(member: str, salt: bytes) -> bytes:
    return hashlib.blake2b(
        member.strip().casefold().encode("utf-8", "surrogatepass"), key=salt, digest_size=16
    ).digest()
