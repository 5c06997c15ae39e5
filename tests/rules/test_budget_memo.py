from __future__ import annotations

import numpy as np

from usage_watch.core.series import Floats
from usage_watch.rules.budget.memo import Memo, digest


def asked(memo: Memo, name: str, size: int = 4) -> Floats:
    return memo.of(name.encode(), lambda: np.full(size, 1.0))


def test_what_was_made_is_made_once() -> None:
    memo = Memo()
    assert asked(memo, "a") is asked(memo, "a")
    assert asked(memo, "a") is not asked(memo, "b")


def test_the_oldest_are_forgotten_and_made_anew() -> None:
    memo = Memo(most=10)
    kept = {name: asked(memo, name) for name in ("a", "b")}
    assert asked(memo, "a") is kept["a"]
    asked(memo, "c")
    assert asked(memo, "a") is kept["a"]
    assert asked(memo, "b") is not kept["b"]


def test_more_than_it_should_keep_is_kept_until_the_next() -> None:
    memo = Memo(most=2)
    first = asked(memo, "a")
    assert asked(memo, "a") is first
    asked(memo, "b", 1)
    assert asked(memo, "a") is not first


def test_what_is_not_asked_for_any_more_is_forgotten() -> None:
    memo = Memo()
    first, used = asked(memo, "gone"), asked(memo, "used")
    for _ in range(16):
        assert asked(memo, "used") is used
    assert asked(memo, "gone") is not first, "it was not asked for while the other was, eight times over"


def test_what_is_asked_for_now_and_then_is_kept() -> None:
    memo = Memo()
    first, used = asked(memo, "now and then"), asked(memo, "used")
    for number in range(60):
        assert asked(memo, "used") is used
        assert number % 12 or asked(memo, "now and then") is first


def test_other_parts_have_another_digest() -> None:
    parts = np.arange(4), np.arange(4.0), b"12", b""
    same = [np.arange(4), np.arange(8.0)[:4], b"12", b""]
    others = [parts[:3], (parts[1], parts[0], b"12", b""), (parts[0], parts[1], b"1", b"2"), (*parts, b"")]
    assert digest(parts) == digest(same)
    assert digest(parts) not in {digest(each) for each in others}
