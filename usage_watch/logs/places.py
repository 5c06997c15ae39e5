"""Where in the code something went wrong, without the machine's own paths."""

from __future__ import annotations

import traceback
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def place_of(error: BaseException) -> str | None:
    """Where an error was raised, if possible in code of ours: `deliver/courier.py:85`; None where it was not raised."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    ours = [each for each in frames if each[0].is_relative_to(_PACKAGE)]
    found = (ours or frames)[-1:]
    return place(*found[0]) if found else None


def place(path: Path, line: int) -> str:
    """A line of a file: under the package as it is named there, elsewhere by its folder and name."""
    inside = path.is_relative_to(_PACKAGE)
    return f"{path.relative_to(_PACKAGE) if inside else '/'.join(path.parts[-2:])}:{line}"
