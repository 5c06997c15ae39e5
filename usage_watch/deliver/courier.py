"""A courier: the thread that sends to one target, one message at a time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from queue import SimpleQueue
from threading import Thread

from usage_watch import logs
from usage_watch.channels.base import Attempt, ChannelSettings, Sender, Verdict
from usage_watch.core.message import Conversation, Delivery, Message
from usage_watch.errors import UsageWatchError
from usage_watch.failpoints import passing
from usage_watch.store.outbox import OutboxRow

WAITED = timedelta(minutes=1)
"""A message that is sent so much later than it was decided says its times and ages as they are then."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A courier is back."""

    target: str
    row: OutboxRow | None
    """None where it was no message, but all that stands."""
    attempt: Attempt


_UNHEARD = Attempt(Verdict.SENT, "A greeting is for people: nothing was sent.")


class Courier:
    """Opens its channel when the first message is handed to it, and closes it when it is dismissed."""

    def __init__(
        self, name: str, settings: ChannelSettings, environ: Mapping[str, str], returned: SimpleQueue[Returned]
    ) -> None:
        self._name, self._settings, self._environ, self._returned = name, settings, environ, returned
        self._loads: SimpleQueue[tuple[OutboxRow | None, Delivery] | None] = SimpleQueue()
        # A daemon thread: what hangs in a foreign library must not keep the process from ending.
        self._thread = Thread(target=self._work, name=f"courier {name}", daemon=True)
        self._thread.start()

    def send(self, row: OutboxRow, now: datetime) -> None:
        """Hand over a message; its outcome comes into `returned`."""
        message = row.message if now - row.message.decided_at < WAITED else replace(row.message, said_at=now)
        said = Delivery(row.id, message, row.conversation, row.attempts, now, unsure=row.unsure, minimal=row.minimal)
        self._loads.put((row, said))

    def restate(self, message: Message, now: datetime) -> None:
        """Hand over all that stands; the outcome comes into `returned`."""
        self.hand(Delivery("restated", message, Conversation("", "", None), 1, now))

    def hand(self, delivery: Delivery) -> None:
        """Hand over what no row stands for; the outcome comes into `returned`."""
        self._loads.put((None, delivery))

    def dismiss(self) -> None:
        """It is not needed any more; wait until it has closed its channel."""
        self.leave()
        self._thread.join()

    def leave(self) -> None:
        """It is not needed any more once it is back; nobody waits for it."""
        self._loads.put(None)

    def _work(self) -> None:
        with ExitStack() as opened:
            sender: Sender | None = None
            while (load := self._loads.get()) is not None:
                row, delivery = load
                try:
                    sender = sender or opened.enter_context(closing(self._settings.connect(self._environ)))
                    attempt = _attempt(sender, delivery) if self._hears(delivery) else _UNHEARD
                except UsageWatchError as error:
                    attempt = Attempt(Verdict.CONFIGURATION, str(error))
                except Exception as error:  # whoever waits for a courier that died waits for ever
                    attempt = Attempt(Verdict.CONFIGURATION, f"It cannot be opened ({type(error).__name__}).")
                self._returned.put(Returned(self._name, row, attempt))

    def _hears(self, delivery: Delivery) -> bool:
        """A machine is not greeted, though the channel was people's when that was decided."""
        return self._settings.people or delivery.message.hello is None


def _attempt(sender: Sender, delivery: Delivery) -> Attempt:
    passing("send")
    try:
        attempt = sender.send(delivery)
    except Exception as error:  # a fault of ours: this message cannot be rendered, and no other may wait for it
        logs.fault("courier", error, id=delivery.id)
        attempt = Attempt(Verdict.REJECTED, f"A fault of ours ({type(error).__name__}): please report it.")
    passing("sent")
    return attempt
