"""Stands in for Slack: channels, threads and updates, with the documented limits held; or a scripted answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.scripted_http import Answer, Request, Reset, ScriptedHttp, Step

TOKEN = "xoxb-1-real-looking-token"
HOOK = "/services/T000/B000/secretsecret"
SCOPES = frozenset({"chat:write", "channels:read", "groups:read", "channels:history", "groups:history"})

Json = dict[str, Any]


@dataclass
class Posted:
    """A message as it now stands in a channel."""

    channel: str
    ts: str
    payload: Json
    thread_ts: str | None = None
    edits: list[Json] = field(default_factory=list)

    @property
    def metadata(self) -> Json | None:
        """Its own, or the last that an update gave it."""
        found = [each["metadata"] for each in (self.payload, *self.edits) if "metadata" in each]
        return found[-1] if found else None

    def shown(self, all_metadata: bool) -> Json:
        """As a look-up shows it. Without `include_all_metadata` the payload of metadata is left out."""
        message: Json = {"type": "message", "ts": self.ts, "bot_id": "B0APP", "text": self.payload["text"]}
        message |= {name: self.payload[name] for name in ("blocks",) if name in self.payload}
        if self.thread_ts is not None:
            message["thread_ts"] = self.thread_ts
        if self.metadata is not None:
            message["metadata"] = self.metadata if all_metadata else {"event_type": self.metadata["event_type"]}
        return message


@dataclass(frozen=True)
class Taken(Reset):
    """Does what was asked for, and breaks the connection off before it says so."""


@dataclass(frozen=True)
class Usual(Answer):
    """In a script: no step of its own, but what would be answered without one."""


class SlackApi(ScriptedHttp):
    """`base_url` for the Web API, `hook_url` for the webhook. The app is a member of #usage (C0USAGE).

    Without a clock, all messages count as new.
    """

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__()
        self.channels = {"#usage": "C0USAGE", "#elsewhere": "C0ELSEWHERE"}
        self.private: set[str] = set()
        """IDs of private channels."""
        self.members = {"C0USAGE"}
        """IDs of the channels that the app was invited to; it may post to others, and read none of them."""
        self.scopes: set[str] = set(SCOPES)
        self.charts = True
        """Whether the workspace knows them; an older one does not."""
        self.page = 1_000
        """How many items a page holds at most, whatever is asked for."""
        self.messages: dict[str, Posted] = {}
        self._now = now
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

    def take(self, request: Request) -> Step:
        step = super().take(request)
        if isinstance(step, Taken):
            self.respond(request)
        return self.respond(request) if isinstance(step, Usual) else step

    def respond(self, request: Request) -> Step:
        if request.path == HOOK:
            fault = self._fault(request.json)
            return Answer(400, fault) if fault else Answer(200, "ok")
        answer = self._asked(request)
        return Answer(answer.status, answer.body, {**answer.headers, "X-OAuth-Scopes": ",".join(sorted(self.scopes))})

    def _asked(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal("invalid_auth")
        match request.path.removeprefix("/api/"):
            case "conversations.history":
                return self._history(form(request))
            case "conversations.replies":
                return self._replies(form(request))
            case "conversations.list":
                return self._list(form(request))
        if "chat:write" not in self.scopes:
            return self._missing("chat:write")
        fault = self._fault(request.json)
        if fault:
            return refusal(fault)
        return self._post(request.json) if request.path == "/api/chat.postMessage" else self._update(request.json)

    def _fault(self, payload: Json) -> str | None:
        drawn = any(block["type"] == "data_visualization" for block in payload.get("blocks", []))
        return "invalid_blocks" if drawn and not self.charts else payload_fault(payload)

    def _post(self, payload: Json) -> Answer:
        channel = self.channels.get(payload["channel"], str(payload["channel"]))
        if channel not in self.channels.values():
            return refusal("channel_not_found")
        ts = self.put(channel, payload).ts
        return _ok(channel=channel, ts=ts, message=self.messages[ts].shown(True))

    def put(self, channel: str, payload: Json) -> Posted:
        """Somebody's message, without asking."""
        seconds = 1_700_000_000 if self._now is None else int(self._now().timestamp())
        ts = f"{seconds}.{next(self._ts):06d}"
        self.messages[ts] = Posted(channel, ts, payload, payload.get("thread_ts"))
        return self.messages[ts]

    def _update(self, payload: Json) -> Answer:
        message = self.messages.get(payload["ts"])
        if message is None or message.channel != payload["channel"]:
            return refusal("message_not_found")
        message.edits.append(payload)
        return _ok(channel=message.channel, ts=message.ts)

    def _history(self, asked: Json) -> Answer:
        top = (each for each in self._of(asked) if each.thread_ts is None or each.payload.get("reply_broadcast"))
        return self._unreadable(asked) or self._messages(list(top)[::-1], asked)

    def _replies(self, asked: Json) -> Answer:
        if unreadable := self._unreadable(asked):
            return unreadable
        parent = self.messages.get(asked["ts"])
        if parent is None or parent.channel != asked["channel"]:
            return refusal("thread_not_found")
        return self._messages([parent, *(each for each in self._of(asked) if each.thread_ts == parent.ts)], asked)

    def _of(self, asked: Json) -> Iterator[Posted]:
        oldest = 0.0 if self._now is None else float(asked.get("oldest", 0))
        in_it = (each for each in self.messages.values() if each.channel == asked["channel"])
        return (each for each in in_it if float(each.ts) > oldest)

    def _unreadable(self, asked: Json) -> Answer | None:
        channel = asked["channel"]
        if channel not in self.channels.values():  # of a name, too: an ID is wanted
            return refusal("channel_not_found")
        needed = "groups:history" if channel in self.private else "channels:history"
        if needed not in self.scopes:
            return self._missing(needed)
        return None if channel in self.members else refusal("not_in_channel")

    def _messages(self, found: Sequence[Posted], asked: Json) -> Answer:
        shown = [each.shown(asked.get("include_all_metadata") in ("1", "true")) for each in found]
        return self._paged("messages", shown, asked)

    def _list(self, asked: Json) -> Answer:
        wanted = asked["types"].split(",")
        scopes = {"public_channel": "channels:read", "private_channel": "groups:read"}
        for kind in wanted:
            if scopes[kind] not in self.scopes:
                return self._missing(scopes[kind])
        found = [
            {"id": id, "name": name.removeprefix("#"), "is_member": id in self.members}
            for name, id in self.channels.items()
            if ("private_channel" if id in self.private else "public_channel") in wanted
        ]
        return self._paged("channels", found, asked)

    def _paged(self, key: str, items: Sequence[Json], asked: Json) -> Answer:
        begin = int(asked.get("cursor") or 0)
        end = begin + min(self.page, int(asked["limit"]))
        following = str(end) if end < len(items) else ""
        return _ok(**{key: items[begin:end]}, has_more=bool(following), response_metadata={"next_cursor": following})

    def _missing(self, needed: str) -> Answer:
        return missing_scope(needed, ",".join(sorted(self.scopes)))


def form(request: Request) -> Json:
    """The fields of a form, as slack_sdk sends them to methods that read."""
    return dict(parse_qsl(request.body.decode()))


def refusal(code: str, status: int = 200, **headers: str) -> Answer:
    """`{"ok": false, "error": code}`."""
    return _json({"ok": False, "error": code}, status, headers)


def missing_scope(needed: str, provided: str) -> Answer:
    """What an app is told that lacks a scope."""
    return _json({"ok": False, "error": "missing_scope", "needed": needed, "provided": provided})


def _ok(**data: Any) -> Answer:
    return _json({"ok": True, **data})


def _json(data: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(data), {"Content-Type": "application/json", **(headers or {})})


def payload_fault(payload: Json) -> str | None:
    """Slack's code for a message that breaks a documented limit; None for a good one."""
    if not payload.get("text"):
        return "no_text"
    if len(payload["text"]) > 40_000:
        return "msg_too_long"
    blocks = payload.get("blocks", [])
    charts = [block for block in blocks if block["type"] == "data_visualization"]
    if len(blocks) > 50 or len(charts) > 2 or not all(_good_block(block) for block in blocks):
        return "invalid_blocks"
    if sum(len(text) for text in texts(blocks)) > 13_200:
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
        case {"type": "data_visualization", "title": title, "chart": {"type": "line"} as chart}:
            return 1 <= len(title) <= 50 and _good_lines(chart)
    return False


def _good_lines(chart: Json) -> bool:
    """By https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block."""
    categories, series = chart["axis_config"]["categories"], chart["series"]
    names = [each["name"] for each in series]
    return (
        1 <= len(series) <= 6
        and 1 <= len(categories) <= 20
        and all(1 <= len(label) <= 20 for label in (*names, *categories))
        and len(set(names)) == len(names)
        and len(set(categories)) == len(categories)
        and all([point["label"] for point in each["data"]] == categories for each in series)
        and all(type(point["value"]) in (int, float) for each in series for point in each["data"])
    )


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
