from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from usage_watch.secret import SecretRef
from usage_watch.source.settings import SourceSettings


def test_everything_may_be_left_out() -> None:
    settings = SourceSettings()
    assert settings.api_key == SecretRef(env="PERPLEXITY_ANALYTICS_API_KEY")
    assert settings.base_url == "https://api.perplexity.ai"
    assert settings.poll_every == timedelta(minutes=15)
    assert settings.backfill == timedelta(days=90)


def test_what_is_written_is_taken() -> None:
    written = {"api_key": {"file": "/run/secrets/key"}, "poll_every": "1s", "backfill": "3y"}
    settings = SourceSettings.model_validate(written)
    assert settings.api_key == SecretRef(file="/run/secrets/key")
    assert (settings.poll_every, settings.backfill) == (timedelta(seconds=1), timedelta(days=1095))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://gateway.example.com:8443/perplexity//", "https://gateway.example.com:8443/perplexity"),
        ("HTTPS://Api.Example.com", "HTTPS://Api.Example.com"),
        ("https://[2001:db8::1]:443", "https://[2001:db8::1]:443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://api.localhost", "http://api.localhost"),
        ("http://127.0.0.1:1234/", "http://127.0.0.1:1234"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://10.1.2.3", "http://10.1.2.3"),
        ("http://192.168.0.9:81", "http://192.168.0.9:81"),
        ("http://[fd00::1]", "http://[fd00::1]"),
    ],
)
def test_an_address_is_https_or_near_and_loses_its_trailing_slash(written: str, kept: str) -> None:
    assert SourceSettings(base_url=written).base_url == kept


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("http://api.perplexity.ai", "plain http"),
        ("http://8.8.8.8", "plain http"),
        ("http://0.0.0.0", "plain http"),
        ("http://127.0.0.1.example.com", "plain http"),
        ("http://localhost.example.com", "plain http"),
        ("ftp://127.0.0.1", "no web address"),
        ("//api.perplexity.ai", "no web address"),
        ("https://user:secret@api.example.com", "user or password"),
        ("https://user@api.example.com", "user or password"),
        ("https://@api.example.com", "user or password"),
        ("http://127.0.0.1\\@evil.example.com", "user or password"),
        ("https://api.example.com?x=1", "without a query or fragment"),
        ("https://api.example.com?", "without a query or fragment"),
        ("https://api.example.com/#top", "without a query or fragment"),
        ("https://api.example.com:99999", "no URL"),
        ("https://api.example.com:0", "no web address"),
        ("https://api.example.com:x", "no URL"),
        ("https://[::1", "no URL"),
        ("https://api example.com", "spaces"),
        ("https://api.example.com/\r\nX: 1", "spaces"),
        ("https://äpi.example.com", "no web address"),
        ("https://a%2fb.example.com", "no web address"),
        ("https://", "no web address"),
        ("api.perplexity.ai", "no web address"),
        ("", "no web address"),
    ],
)
def test_an_address_that_the_key_must_not_go_to_is_refused_with_advice(written: str, advice: str) -> None:
    with pytest.raises(ValidationError, match=advice) as caught:
        SourceSettings(base_url=written)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "written", "advice"),
    [
        ("poll_every", "0s", "from 1s to 1d"),
        ("poll_every", "25h", "from 1s to 1d"),
        ("poll_every", "often", "write a duration"),
        ("backfill", "23h", "from 1d to 3y"),
        ("backfill", "1096d", "from 1d to 3y"),
        ("api_key", "pplx-literal", "never written in this file"),
        ("url", "https://api.example.com", "Extra inputs"),
    ],
)
def test_what_is_out_of_bounds_or_unknown_is_refused(field: str, written: Any, advice: str) -> None:
    with pytest.raises(ValidationError, match=advice) as caught:
        SourceSettings.model_validate({field: written})
    assert "pplx-literal" not in str(caught.value)


def test_settings_do_not_change_and_show_their_defaults_as_they_are_written() -> None:
    with pytest.raises(ValidationError):
        SourceSettings().base_url = "https://elsewhere.example.com"  # type: ignore[misc]
    assert SourceSettings().model_dump()["poll_every"] == "15m"
    assert SourceSettings.model_json_schema()["properties"]["backfill"]["default"] == "90d"
