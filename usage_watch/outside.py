"""What others see of the daemon: the HTTP server, the heartbeat, and what feeds both."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from usage_watch import __version__, logs
from usage_watch.alarm import Alarm
from usage_watch.errors import MachineError
from usage_watch.heartbeat import Heartbeat
from usage_watch.meta.unstored import reason_of
from usage_watch.observer import Observer, sign
from usage_watch.systemd import Supervisor
from usage_watch.told import Told
from usage_watch.vitals import Hindered, Vitals
from usage_watch.web.page.site import Site

if TYPE_CHECKING:
    from usage_watch.clock import Clock
    from usage_watch.config import Config
    from usage_watch.config.web import HeartbeatSettings, WebSettings
    from usage_watch.cycle import Summary
    from usage_watch.store.database import Database
    from usage_watch.web.server import WebServer


class Outside:
    """As a rules file says, and another one where it was read again. A context manager."""

    def __init__(
        self,
        config: Config,
        database: Path,
        clock: Clock,
        supervisor: Supervisor | None = None,
    ) -> None:
        """MachineError where the server cannot listen there. The database may not be there yet: then `watch` it."""
        self._path, self._clock = Path(os.path.realpath(database)), clock
        self._supervisor = supervisor or Supervisor({})
        self._vitals = Vitals(clock.now())
        self._alarm = Alarm(config, os.environ, Told(self._path))
        self._observer: Observer | None = None
        self._config = config
        self._site = Site(self._path, config, self._vitals, clock.now)
        self._heartbeat: Heartbeat | None = None
        self._web: WebSettings | None = None
        self._pulse: HeartbeatSettings | None = None
        self._server: WebServer | None = None
        self._serving, self._beating = ExitStack(), ExitStack()
        self.heed(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._serving, self._beating:
            self._alarm.close()

    def watch(self, database: Database) -> None:
        """It is open: from the next turn on, what is in it is told, too."""
        self._vitals.hindered = None
        self._observer = Observer(self._vitals, self._config, database, self._clock, self._heartbeat, self._supervisor)

    def beat(self) -> None:
        """The main loop goes on."""
        if self._vitals.hindered is None:
            self._alarm.well(self._clock.now())
        if self._observer is None:
            sign(self._clock.now(), self._vitals, self._supervisor, self._path)
        else:
            self._observer.beat()

    def turning(self) -> None:
        """A cycle begins."""
        if self._observer is not None:
            self._observer.turning()

    def turned(self, summary: Summary, seconds: float) -> None:
        """A cycle is done, and took so long."""
        self._vitals.hindered = None
        self._alarm.well(self._clock.now())
        if self._observer is not None:
            self._observer.turned(summary, seconds)

    def hindered(self, error: MachineError) -> None:
        """A cycle could not be done, since this machine stands in the way."""
        self._vitals.idle.set()
        now, before = self._clock.now(), self._vitals.hindered
        self._vitals.count(error.hindrance)
        self._alarm.hindered(error, now)
        since, why = now if before is None else before.since, reason_of(error.hindrance)
        self._vitals.hindered = Hindered(since, why, self._alarm.heard)
        self.beat()

    def heed(self, config: Config) -> None:
        """From now on this holds. MachineError, with all as it was, where the server cannot listen there."""
        self._serve(None if config.web == "off" else config.web)
        if config.heartbeat != self._pulse:
            self._pulse = config.heartbeat
            self._beating.close()
            self._heartbeat = self._beaten(config.heartbeat)
        self._config = config
        if self._observer is not None:
            self._observer.heartbeat = self._heartbeat
            self._observer.heed(config)
        self._alarm.heed(config)
        self._site.heed(config)

    def _beaten(self, settings: HeartbeatSettings | None) -> Heartbeat | None:
        if settings is None:
            return None
        return self._beating.enter_context(closing(Heartbeat(settings.url, os.environ)))

    def _serve(self, settings: WebSettings | None) -> None:
        if settings == self._web:
            return
        opened = ExitStack()
        if settings is None:
            self._server = None
        elif self._server is not None and self._web is not None and settings.address == self._web.address:
            from usage_watch.web.hosts import Hosts

            # Who listens there already goes on: nobody else can have the port meanwhile.
            self._server.heed(Hosts(settings.hosts, addresses=not settings.local))
            opened = self._serving.pop_all()
        elif self._web is not None and settings.address[1] == self._web.address[1] != 0:
            self._readdress(self._web, settings)
            opened = self._serving.pop_all()
        else:
            self._server = opened.enter_context(self._listening(settings))
            logs.event("web.listening", url=self._server.url)
        self._serving.close()
        self._serving, self._web = opened, settings

    def _readdress(self, before: WebSettings, settings: WebSettings) -> None:
        """Another address, the same port: 0.0.0.0 cannot be had beside 127.0.0.1. Where it fails, back to before."""
        self._serving.close()
        self._web = self._server = None
        try:
            self._server = self._serving.enter_context(self._listening(settings))
        except MachineError:
            self._server, self._web = self._serving.enter_context(self._listening(before)), before
            raise
        logs.event("web.listening", url=self._server.url)

    def _listening(self, settings: WebSettings) -> WebServer:
        from usage_watch.web.hosts import Hosts
        from usage_watch.web.pages import pages
        from usage_watch.web.server import WebServer

        served = {**self._site.pages, **pages(self._vitals, self._path, __version__, self._clock.now)}
        return WebServer(*settings.address, Hosts(settings.hosts, addresses=not settings.local), served)
