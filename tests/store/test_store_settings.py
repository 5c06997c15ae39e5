"""The `store:` section."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from usage_watch.store.settings import StoreSettings


def test_the_default_is_a_file_in_the_working_directory() -> None:
    assert StoreSettings().path == Path("usage-watch.db")


def test_a_path_is_taken_as_it_is_written() -> None:
    assert StoreSettings.model_validate({"path": "/var/lib/usage-watch/x.db"}).path == Path("/var/lib/usage-watch/x.db")


@pytest.mark.parametrize("written", [{"path": 5}, {"paht": "x.db"}, {"keep": "2y"}])
def test_anything_else_is_refused(written: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StoreSettings.model_validate(written)
