"""The pages by their paths; each is made once for what is stored, in the minute in which it is looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import Context
from datetime import datetime
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from secrets import token_bytes
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from usage_watch.errors import MachineError, UsageError
from usage_watch.web.answer import Answer, Asked, Pages

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.core.privacy import Veil
    from usage_watch.vitals import Vitals
    from usage_watch.web.page.html import Html
    from usage_watch.web.page.room import Room

_CONTENT_TYPE = "text/html; charset=utf-8"
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_VIEWS = {
    "/": "first",
    "/alerts": "alerts",
    "/alert": "alert",
    "/rules": "rules",
    "/rule": "rule",
    "/history": "history",
}
"""The module that makes each."""
_MOST = 60
"""Pages that are kept."""
_PATIENCE = 2.0
"""Seconds that a page waits for a cycle to end."""
_LONGEST = 500
"""Characters of what a link may ask for."""

View = Callable[["Room"], "Html"]
"""Makes a page. UsageError where there is nothing of what was asked for."""
_Stamp = tuple[object, ...]
_Kept = tuple[_Stamp, Answer]


class Site:
    """The pages of one daemon. Any thread may ask; they are made one at a time, and while no cycle is at work."""

    def __init__(self, database: Path, config: Config, vitals: Vitals, now: Callable[[], datetime]) -> None:
        self._database, self._config, self._vitals, self._now = database, config, vitals, now
        self._kept: OrderedDict[Asked, _Kept] = OrderedDict()
        self._shelf, self._making = Lock(), Lock()
        self._salt = token_bytes(16)
        self._context = Context()
        """What was worked out for pages before; what the cycles remember is looked up, and never written to."""
        self._context.run(_apart)

    def heed(self, config: Config) -> None:
        """From now on these rules hold: what was shown by others, with members' names say, is not shown again."""
        self._config = config
        with self._shelf:
            self._kept.clear()

    @property
    def pages(self) -> Pages:
        """By path."""
        return {**dict.fromkeys(_VIEWS, self._page), "/style.css": _style, "/icon.svg": _icon}

    def _page(self, asked: Asked) -> Answer:
        kept = self._known(asked)
        if kept is not None and (kept[0] == self._stamp() or not self._vitals.idle.is_set()):
            return kept[1]
        with self._making:
            # A cycle that reads for minutes keeps nobody waiting for all of that.
            self._vitals.idle.wait(_PATIENCE)
            stamp, kept = self._stamp(), self._known(asked)
            if kept is None or kept[0] != stamp:
                kept = stamp, self._context.run(self._answer, asked)
                self._keep(asked, kept)
            return kept[1]

    def _known(self, asked: Asked) -> _Kept | None:
        with self._shelf:
            if asked in self._kept:
                self._kept.move_to_end(asked)
            return self._kept.get(asked)

    def _keep(self, asked: Asked, made: _Kept) -> None:
        with self._shelf:
            self._kept[asked] = made
            # What stood in the way may be gone with the next request, and nothing of that is stored.
            if made[1].status == HTTPStatus.SERVICE_UNAVAILABLE:
                del self._kept[asked]
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)

    def _stamp(self) -> _Stamp:
        """What changes with whatever a page shows."""
        minute = int(self._now().timestamp()) // 60
        return minute, self._config, self._vitals.hindered, *_written(self._database)

    def _answer(self, asked: Asked) -> Answer:
        from usage_watch.core.privacy import Members, veil
        from usage_watch.web.page.html import veiled

        config = self._config
        hide = veil(Members.FULL if config.web == "off" else config.web.members)
        status, found = self._made(asked, config, hide)
        # Over all of it: what a picture says, too.
        return _sent(veiled(found, hide), status)

    def _made(self, asked: Asked, config: Config, hide: Veil) -> tuple[HTTPStatus, Html]:
        from usage_watch.store.database import open_beside
        from usage_watch.views.times import Reader
        from usage_watch.web.page.room import Room

        try:
            with open_beside(self._database) as database:
                reader = Reader(config.timezone, self._now())
                room = Room(config, database, self._vitals, reader, hide, _asked(asked.query), self._salt)
                return HTTPStatus.OK, _view(asked.path)(room)
        except UsageError as error:
            return HTTPStatus.NOT_FOUND, _sorry("There is nothing to show here", error)
        except MachineError as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, _sorry("This cannot be shown now", error)


def _apart() -> None:
    from usage_watch.rules.budget import memo
    from usage_watch.rules.zscore import blocks

    blocks.apart(60_000)
    memo.apart(300_000)


def _view(path: str) -> View:
    # Not above: a daemon whose page nobody opens does without their memory, and who opens one waits for that alone.
    view: View = import_module(f"usage_watch.web.page.{_VIEWS[path]}").view
    return view


def _asked(query: str) -> Mapping[str, str]:
    """Each name once; what cannot be meant is left out."""
    with suppress(ValueError):
        pairs = parse_qsl(query[:_LONGEST], max_num_fields=10, errors="replace")
        return dict(pairs)
    return {}


def _written(database: Path) -> Iterator[tuple[int, int] | None]:
    """What tells whether anybody has written since: of the database and of its write-ahead log."""
    for path in (database, database.with_name(f"{database.name}-wal")):
        try:
            found = path.stat()
            yield found.st_mtime_ns, found.st_size
        except OSError:
            yield None


def _sent(page: str, status: HTTPStatus) -> Answer:
    return Answer(page.encode("utf-8", "replace"), status, _CONTENT_TYPE, {"Content-Security-Policy": _POLICY})


def _sorry(title: str, error: Exception) -> Html:
    from usage_watch.web.page.html import el, sentence
    from usage_watch.web.page.shell import document

    return document(title, title, el("p", sentence(str(error))))


def _style(_: Asked) -> Answer:
    from usage_watch.web.page.style import style

    return Answer(style().encode(), content_type="text/css; charset=utf-8")


def _icon(_: Asked) -> Answer:
    from usage_watch.web.page.style import ICON

    return Answer(ICON.encode(), content_type="image/svg+xml")
