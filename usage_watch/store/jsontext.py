"""Values as JSON text and back, exactly: enums, tuples and aware times too.

Not pydantic's own JSON text: it writes infinities as null, which could not be read back. Half a surrogate pair, which
UTF-8 has no bytes for, never comes this far: the source's answers are refused for it.
"""

from __future__ import annotations

import json
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from usage_watch.core.message import Evidence, Message

_T = TypeVar("_T")


class JsonText(Generic[_T]):
    """How values of one dataclass are kept in a column."""

    def __init__(self, kind: type[_T]) -> None:
        self._adapter = TypeAdapter(kind)

    def dump(self, value: _T) -> str:
        """Raises ValueError where a number is not finite."""
        return json.dumps(self._adapter.dump_python(value, mode="json"), allow_nan=False)

    def load(self, text: str) -> _T:
        """What `dump` wrote."""
        return self._adapter.validate_python(json.loads(text))


EVIDENCE = JsonText(Evidence)
MESSAGE = JsonText(Message)
