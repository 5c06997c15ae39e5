"""What a page is made from: the rules that hold, what is stored, and whoever reads it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from usage_watch.core.privacy import Veil

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.store.database import Database
    from usage_watch.views.times import Reader
    from usage_watch.vitals import Vitals


@dataclass(frozen=True, slots=True)
class Room:
    """For one page."""

    config: Config
    database: Database
    vitals: Vitals
    reader: Reader
    veil: Veil
    """What to do with members' names. All of a page goes through it at last; what is cut or copied has to before."""
    asked: Mapping[str, str]
    """What stands behind the question mark, each name once."""
    salt: bytes
    """Known to this daemon alone."""

    @property
    def now(self) -> datetime:
        """The time."""
        return self.reader.now

    def key_of(self, labels: Mapping[str, str]) -> str:
        """A series in a link: addresses have no place in one, and in the logs of proxies.

        Of a member who is hidden nobody can make it from the address; all other links outlast a restart.
        """
        named = " ".join(labels.values())
        return key_of(labels, b"" if self.veil(named) == named else self.salt)


def key_of(labels: Mapping[str, str], salt: bytes = b"") -> str:
    """The same for the same series and salt."""
    written = json.dumps(sorted(labels.items())).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(written, key=salt, digest_size=6).hexdigest()
