"""What Slack's error codes mean for a message. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.http import http_attempt, parse_retry_after

_CODE = re.compile(r"[a-z][a-z_]{1,59}", re.ASCII)

_THROTTLED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_SERVER = frozenset(
    {
        "accesslimited",
        "external_channel_migrating",
        "fatal_error",
        "internal_error",
        "org_login_required",
        "request_timeout",
        "rollup_error",
        "service_unavailable",
        "team_added_to_org",
        "update_failed",
    }
)
"""Theirs and passing; a workspace that is being moved is so too."""

_REJECTED = frozenset(
    {
        "attachment_payload_limit_exceeded",
        "block_mismatch",
        "invalid_arg_name",
        "invalid_arguments",
        "invalid_array_arg",
        "invalid_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_charset",
        "invalid_form_data",
        "invalid_json",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "invalid_payload",
        "invalid_post_type",
        "json_not_object",
        "markdown_text_conflict",
        "metadata_too_large",
        "missing_post_type",
        "missing_text_or_fallback_or_attachments",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
"""About this message alone."""

THREAD_GONE = frozenset(
    {
        "cannot_reply_to_message",
        "channel_not_found",
        "invalid_thread_ts",
        "is_archived",
        "is_inactive",
        "message_not_found",
        "not_in_channel",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "thread_locked",
        "thread_not_found",
    }
)
"""No reply can go there, though a message of its own may well go to the configured channel."""

UNEDITABLE = THREAD_GONE | {"as_user_not_supported", "cant_update_message", "edit_window_closed"}
"""A message that was posted is not there, or stays as it is."""

_NEW_KEY = "the token is not valid (any more); put a new bot token where `token` points"
_SCOPE = "the app lacks the scope chat:write; add it and install the app anew"
_NO_CHANNEL = "the app sees no such channel; check `channel` and invite the app to {channel}"
_ARCHIVED = "{channel} is archived; restore it or write another one"
_NEW_HOOK = "this webhook is gone; make a new one in Slack and put its URL where `webhook_url` points"
_POLICY = "the workspace does not let the app post in {channel}; ask its administrators"

_ADVICE = {
    **dict.fromkeys(
        ("account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked", "not_allowed_token_type"),
        _NEW_KEY,
    ),
    **dict.fromkeys(("missing_scope", "no_permission"), _SCOPE),
    **dict.fromkeys(("channel_not_found", "user_not_found"), _NO_CHANNEL),
    "not_in_channel": "invite the app to {channel}",
    **dict.fromkeys(("is_archived", "is_inactive", "channel_is_archived"), _ARCHIVED),
    **dict.fromkeys(("invalid_token", "no_active_hooks", "no_service", "no_service_id", "no_team"), _NEW_HOOK),
    **dict.fromkeys(
        (
            "access_denied",
            "action_prohibited",
            "ekm_access_denied",
            "enterprise_is_restricted",
            "posting_to_general_channel_denied",
            "restricted_action",
            "restricted_action_read_only_channel",
            "restricted_action_thread_only_channel",
            "team_access_not_granted",
        ),
        _POLICY,
    ),
}


def error_code(said: object) -> str | None:
    """Slack's code, where it is one; None for web pages and other surprises."""
    return said if isinstance(said, str) and _CODE.fullmatch(said) else None


def refusal(code: str | None, status: int, headers: Mapping[str, str], *, channel: str, now: datetime) -> Attempt:
    """The outcome of an answer that is no success; `channel` is what its users call it."""
    asked = {name.lower(): value for name, value in headers.items()}.get("retry-after")
    if code in _THROTTLED or status == 429:
        return Attempt(Verdict.THROTTLED, "Slack asks for fewer messages.", parse_retry_after(asked, now))
    if code in _SERVER:
        return Attempt(Verdict.SERVER, f"Slack has a fault on its side ({code}).", parse_retry_after(asked, now))
    if code in _REJECTED:
        return Attempt(Verdict.REJECTED, f"Slack refuses this message ({code}).")
    if code in _ADVICE:
        return Attempt(Verdict.CONFIGURATION, f"Slack refuses ({code}): {_ADVICE[code].format(channel=channel)}.")
    if status != 200:
        return http_attempt("Slack", status, retry_after=asked, now=now)
    if code is None:
        return Attempt(
            Verdict.SERVER, "The answer was not Slack's: something in between answered with a page of its own."
        )
    return Attempt(Verdict.CONFIGURATION, f"Slack refuses ({code}): look the code up in Slack's list of errors.")
