"""The Slack app that posts for usage_watch: its scopes, and the manifest to make one from."""

from __future__ import annotations

from typing import Any

POST = "chat:write"
LOOK_UP = ("channels:history", "groups:history", "channels:read", "groups:read")
"""To find a post whose answer was lost, in public channels and private ones: see `lookup`."""
SCOPES = (POST, *LOOK_UP)
"""All that the app asks for; it hears nothing and acts for nobody."""


def manifest() -> dict[str, Any]:
    """What Slack makes an app from, by docs.slack.dev/reference/app-manifest; taken as JSON, and as YAML too."""
    return {
        "display_information": {
            "name": "usage_watch",
            "description": "Watches the organization's usage of Perplexity Computer, and tells of what is wrong.",
        },
        "features": {"bot_user": {"display_name": "usage_watch", "always_online": False}},
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        # A token that is rotated ends after half a day; ours is replaced by whoever runs the watcher.
        "settings": {"token_rotation_enabled": False},
    }
