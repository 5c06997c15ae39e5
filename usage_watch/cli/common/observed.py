"""A daemon that others can look at: the HTTP server, the heartbeat, and what feeds both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from usage_watch import __version__, logs
from usage_watch.heartbeat import Heartbeat
from usage_watch.observer import Observer
from usage_watch.vitals import Vitals

if TYPE_CHECKING:
    from usage_watch.clock import Clock
    from usage_watch.config import Config
    from usage_watch.config.web import WebSettings
    from usage_watch.store.database import Database


@contextmanager
def observed(config: Config, database: Database, clock: Clock) -> Iterator[Observer]:
    """As the rules file says. MachineError where the server cannot listen there."""
    vitals = Vitals(clock.now())
    with ExitStack() as opened:
        if config.web != "off":
            _serve(opened, config.web, vitals, database, clock)
        heartbeat = None
        if config.heartbeat is not None:
            heartbeat = opened.enter_context(closing(Heartbeat(config.heartbeat.url, os.environ)))
        yield Observer(vitals, config, database, clock, heartbeat)


def _serve(opened: ExitStack, settings: WebSettings, vitals: Vitals, database: Database, clock: Clock) -> None:
    from usage_watch.web.hosts import Hosts
    from usage_watch.web.pages import pages
    from usage_watch.web.server import WebServer

    served = pages(vitals, database.path, __version__, clock.now)
    hosts = Hosts(settings.hosts, addresses=not settings.local)
    server = opened.enter_context(WebServer(*settings.address, hosts, served))
    logs.event("web.listening", url=server.url)
