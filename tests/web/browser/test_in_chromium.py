from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.web.browser.chromium import SCREENS, Visit
from tests.web.browser.world import PLACES, hostile

Seen = Sequence[Visit]


def test_all_kinds_of_pages_are_seen_on_all_screens(seen: Seen) -> None:
    assert {each.screen for each in seen} == set(SCREENS)
    assert len({each.url for each in seen}) * len(SCREENS) == len(seen)


def test_they_load_without_a_complaint(seen: Seen) -> None:
    assert {str(each): each.complaints for each in seen if each.complaints} == {}
    assert {str(each): each.failed for each in seen if each.failed} == {}


def test_nothing_is_asked_of_anybody_else(seen: Seen) -> None:
    foreign = [url for each in seen for url in each.requests if url.split("/")[2] != each.url.split("/")[2]]
    assert foreign == []
    assert all(each.requests for each in seen)


def test_what_is_hostile_makes_nothing(seen: Seen) -> None:
    assert {str(each): each.dialogs for each in seen if each.dialogs} == {}
    assert [str(each) for each in seen if each.made] == []


@pytest.mark.parametrize("place", PLACES)
def test_what_is_hostile_is_text(seen: Seen, place: str) -> None:
    assert any(hostile(place)[:30] in each.text for each in seen)


def test_nothing_is_wider_than_the_screen(seen: Seen) -> None:
    wide = {str(each): each.scroll_width for each in seen if each.scroll_width > SCREENS[each.screen].width}
    assert wide == {}


def test_axe_finds_nothing(seen: Seen) -> None:
    assert {str(each): each.violations for each in seen if each.violations} == {}
