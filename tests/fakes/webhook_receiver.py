"""Stands in for whoever receives our webhooks: takes everything with 204, unless scripted otherwise."""

from __future__ import annotations

from tests.fakes.scripted_http import Answer, Request, ScriptedHttp, Step


class WebhookReceiver(ScriptedHttp):
    """A receiver at `url("/hook")`."""

    def respond(self, request: Request) -> Step:
        return Answer(204)
