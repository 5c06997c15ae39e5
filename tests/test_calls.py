from __future__ import annotations

from usage_watch.calls import Calls


def test_nobody_has_called() -> None:
    calls = Calls()
    assert (calls.is_set(), calls.bell.is_set(), calls.exit_code) == (False, False, 0)
    assert not calls.heard_to_read_again()


def test_each_call_rings_the_bell_and_is_heard_once() -> None:
    calls = Calls()
    calls.read_again()
    calls.read_again()
    assert calls.bell.is_set()
    assert calls.heard_to_read_again()
    assert not calls.bell.is_set()
    assert not calls.heard_to_read_again()


def test_the_bell_rings_on_for_the_end() -> None:
    calls = Calls()
    calls.set()
    calls.read_again()
    assert calls.heard_to_read_again()
    assert calls.is_set()
    assert calls.bell.is_set(), "whoever waits next is not to wait"
