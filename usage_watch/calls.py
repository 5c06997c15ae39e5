"""What a running program is called for from outside: to end, and to read its rules file again."""

from __future__ import annotations

from threading import Event


class Calls(Event):
    """Set once the program is to end. Any thread may call; the main thread waits on `bell`, and heeds."""

    def __init__(self) -> None:
        super().__init__()
        self.exit_code = 0
        """What a shell says of a program that ended so: 130 after Ctrl-C, 143 after SIGTERM."""
        self.bell = Event()
        """Rung by each call, so that nobody who waits misses it."""
        self._again = Event()

    def set(self) -> None:
        """It is to end."""
        super().set()
        self.bell.set()

    def read_again(self) -> None:
        """The rules file is to be read again."""
        self._again.set()
        self.bell.set()

    def heard_to_read_again(self) -> bool:
        """Whether that was called for since this was last asked."""
        self.bell.clear()
        if self.is_set():
            self.bell.set()
        if not self._again.is_set():
            return False
        self._again.clear()
        return True
