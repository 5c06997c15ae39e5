"""Stands in for Slack: channels, threads and updates, with the documented limits held; or a scripted answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.fakes.scripted_http import Answer, Request, ScriptedHttp, Step

TOKEN = "xoxb-1-real-looking-token"
HOOK = "/services/T000/B000/secretsecret"

Json = dict[str, Any]


@dataclass
class Posted:
    """A message as it now stands in a channel."""

    channel: str
    ts: str
    payload: Json
    thread_ts: str | None = None
    edits: list[Json] = field(default_factory=list)


class SlackApi(ScriptedHttp):
    """`base_url` for the Web API, `hook_url` for the webhook. The app is a member of #usage (C0USAGE)."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = {"#usage": "C0USAGE", "#elsewhere": "C0ELSEWHERE"}
        self.messages: dict[str, Posted] = {}
        self._ts = count(1)

    @property
    def base_url(self) -> str:
        return self.url("/api/")

    @property
    def hook_url(self) -> str:
        return self.url(HOOK)

    @property
    def calls(self) -> list[str]:
        """The names of the methods that were called, in order."""
        return [request.path.removeprefix("/api/") for request in self.requests]

    def respond(self, request: Request) -> Step:
        if request.path == HOOK:
            fault = payload_fault(request.json)
            return Answer(400, fault) if fault else Answer(200, "ok")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal("invalid_auth")
        fault = payload_fault(request.json)
        if fault:
            return refusal(fault)
        return self._post(request.json) if request.path == "/api/chat.postMessage" else self._update(request.json)

    def _post(self, payload: Json) -> Answer:
        channel = self.channels.get(payload["channel"], str(payload["channel"]))
        if channel not in self.channels.values():
            return refusal("channel_not_found")
        ts = f"1700000000.{next(self._ts):06d}"
        self.messages[ts] = Posted(channel, ts, payload, payload.get("thread_ts"))
        return _ok(channel=channel, ts=ts)

    def _update(self, payload: Json) -> Answer:
        message = self.messages.get(payload["ts"])
        if message is None or message.channel != payload["channel"]:
            return refusal("message_not_found")
        message.edits.append(payload)
        return _ok(channel=message.channel, ts=message.ts)


def refusal(code: str, status: int = 200, **headers: str) -> Answer:
    """`{"ok": false, "error": code}`."""
    return Answer(status, json.dumps({"ok": False, "error": code}), {"Content-Type": "application/json", **headers})


def _ok(**data: str) -> Answer:
    return Answer(200, json.dumps({"ok": True, **data}), {"Content-Type": "application/json"})


def payload_fault(payload: Json) -> str | None:
    """Slack's code for a message that breaks a documented limit; None for a good one."""
    if not payload.get("text"):
        return "no_text"
    if len(payload["text"]) > 40_000:
        return "msg_too_long"
    if not 1 <= len(payload["blocks"]) <= 50 or not all(_good_block(block) for block in payload["blocks"]):
        return "invalid_blocks"
    if sum(len(text) for text in texts(payload["blocks"])) > 13_200:
        return "msg_blocks_too_long"
    return None


def texts(part: object) -> Iterator[str]:
    """Every text in blocks."""
    if isinstance(part, list):
        for each in part:
            yield from texts(each)
    if isinstance(part, dict):
        for name, each in part.items():
            if name == "text" and isinstance(each, str):
                yield each
            yield from texts(each)


def _good_block(block: Json) -> bool:
    match block:
        case {"type": "header", "text": {"type": "plain_text"} as text}:
            return _good_text(text, 150)
        case {"type": "section", "fields": fields}:
            return 1 <= len(fields) <= 10 and all(_good_text(each, 2_000) for each in fields)
        case {"type": "section", "text": text}:
            return _good_text(text, 3_000)
        case {"type": "context", "elements": elements}:
            return 1 <= len(elements) <= 10 and all(_good_text(each, 2_000) for each in elements)
        case {"type": "rich_text", "elements": elements}:
            return bool(elements) and all(_good_rich(each) for each in elements)
    return False


def _good_text(text: Json, limit: int) -> bool:
    return text["type"] in ("plain_text", "mrkdwn") and 1 <= len(text["text"]) <= limit


def _good_rich(element: Json) -> bool:
    match element:
        case {"type": "rich_text_section" | "rich_text_list", "elements": elements}:
            return bool(elements) and all(_good_rich(each) for each in elements)
        case {"type": "text", "text": text}:
            return len(text) >= 1
        case {"type": "link", "url": url}:
            return 1 <= len(url) <= 3_000
    return False
