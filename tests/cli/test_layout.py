from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_watch.cli.common.layout import columns, cut, facts, table, wrapped

HEADS = ("id", "rule", "what")
ROW = ("inc_1", "runaway", "12,345 credits in 3 h, over the limit of 10,000")
CELLS = st.text(st.characters(codec="utf-8"), max_size=60)


def test_columns_are_as_wide_as_their_content() -> None:
    assert table(HEADS, [ROW, ("inc_22", "x", "y")], None) == [
        "id      rule     what",
        "inc_1   runaway  12,345 credits in 3 h, over the limit of 10,000",
        "inc_22  x        y",
    ]


def test_a_pipe_gets_a_row_a_line_however_long() -> None:
    assert len(table(HEADS, [(*ROW[:2], "word " * 70)], None)) == 2


def test_on_a_narrow_terminal_the_last_column_has_lines_of_its_own() -> None:
    assert table(HEADS, [ROW], 40) == [
        "id     rule",
        "    what",
        "inc_1  runaway",
        "    12,345 credits in 3 h, over the",
        "    limit of 10,000",
    ]


def test_other_columns_are_cut_last_and_the_widest_first() -> None:
    lines = table(HEADS, [("inc_1", "r" * 60, "what it is")], 30)
    assert lines[2] == "inc_1  rrrrrrrrrrrrrrrrrrrrrr…"
    assert lines[3] == "    what it is"


def test_an_empty_last_cell_takes_no_line() -> None:
    assert table(("channel", "detail"), [("pager", ""), ("ops", "x" * 30)], 20)[2] == "pager"
    assert len(table(("channel", "detail"), [("pager", ""), ("ops", "x" * 30)], 20)) == 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc", "a b c"),
        ("red \x1b[31malert\x1b[0m", "red [31malert[0m"),
        ("evil\u202etxt", "eviltxt"),
        ("\x9b2Jgone", "2Jgone"),
    ],
)
def test_no_cell_moves_the_cursor(text: str, shown: str) -> None:
    assert table(("what",), [(text,)], None)[1] == shown
    assert list(facts([(text, text)], None)) == [f"{shown}  {shown}"]


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=4), st.integers(40, 120))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], width: int) -> None:
    assert max(columns(line) for line in table(HEADS, rows, width)) <= width


@given(CELLS, st.integers(8, 40))
def test_wrapping_keeps_every_word_that_fits(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(columns(line) <= width for line in lines)
    assert [cut(word, width) for word in text.split()] == " ".join(lines).split()


def test_facts_go_on_below_themselves() -> None:
    assert list(facts([("What", "it is longer than the line"), ("Why so", "")], 24)) == [
        "What    it is longer",
        "        than the line",
        "Why so",
    ]


@pytest.mark.parametrize(
    ("text", "wide"),
    [("plain", 5), ("ümläut", 6), ("日本", 4), ("e\u0301", 1), ("🔴", 2)],
)
def test_a_text_is_as_wide_as_a_terminal_shows_it(text: str, wide: int) -> None:
    assert columns(text) == wide


def test_what_is_cut_says_so() -> None:
    assert cut("日本語", 5) == "日本…"
    assert cut("short", 5) == "short"
