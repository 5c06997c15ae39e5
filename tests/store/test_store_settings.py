"""The `store:` section."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from usage_watch.assess import REACH
from usage_watch.store.settings import SHORTEST, StoreSettings


def test_the_default_is_a_file_in_the_working_directory() -> None:
    assert StoreSettings().path == Path("usage-watch.db")


def test_a_path_is_taken_as_it_is_written() -> None:
    assert StoreSettings.model_validate({"path": "/var/lib/usage-watch/x.db"}).path == Path("/var/lib/usage-watch/x.db")


@pytest.mark.parametrize(
    "written", [{"path": 5}, {"paht": "x.db"}, {"keep": "89d"}, {"keep": "1y", "keep_members": "2y"}]
)
def test_anything_else_is_refused(written: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StoreSettings.model_validate(written)


def test_two_years_are_kept_and_members_as_long_as_all_else() -> None:
    assert StoreSettings().keep == StoreSettings().members == timedelta(days=730)
    assert StoreSettings.model_validate({"keep": "3y"}).members == timedelta(days=1095)
    assert StoreSettings.model_validate({"keep_members": "90d"}).members == timedelta(days=90)


def test_what_is_judged_again_is_never_too_old_to_keep() -> None:
    assert SHORTEST == REACH
