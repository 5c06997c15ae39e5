"""The strict loader: what it takes, where things stand, and what it says to whom who wrote something else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from usage_watch.errors import Fault, RulesFileError, UsageError
from usage_watch.yamlfile import MAX_BYTES, MAX_DEPTH, MAX_FAULTS, MAX_NODES, Document, load, parse

IN_C = pytest.mark.skipif(not yaml.__with_libyaml__, reason="this PyYAML is built without libyaml")
PARSERS = [pytest.param(True, id="in-c", marks=IN_C), pytest.param(False, id="in-python")]


@pytest.fixture(params=PARSERS)
def libyaml(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def faults(text: str | bytes, libyaml: bool) -> tuple[Fault, ...]:
    with pytest.raises(RulesFileError) as caught:
        parse(text.encode() if isinstance(text, str) else text, "rules.yaml", libyaml=libyaml)
    return caught.value.faults


def outcome(text: bytes, libyaml: bool) -> Document | RulesFileError:
    try:
        return parse(text, "rules.yaml", libyaml=libyaml)
    except RulesFileError as error:
        return error


def places(text: str | bytes, libyaml: bool) -> list[tuple[int, int]]:
    return [(fault.line, fault.column) for fault in faults(text, libyaml)]


# What it takes


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("no", "no"),
        ("NO", "NO"),
        ("y", "y"),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("false", False),
        ("False", False),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("none", "none"),
        ("0", 0),
        ("-12", -12),
        ("+12", 12),
        ("017", 17),
        ("08", 8),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0x1F", "-0x1F"),
        ("1_000_000", 1_000_000),
        ("1__0", "1__0"),
        ("_1", "_1"),
        ("1_", "1_"),
        ("9223372036854775807", 2**63 - 1),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5e-3", -0.0005),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("1_000.25", 1000.25),
        ("1e", "1e"),
        (".", "."),
        ("nan", "nan"),
        ("inf", "inf"),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("2026-11-26", "2026-11-26"),
        ("2026-11-26T00:00:00Z", "2026-11-26T00:00:00Z"),
        ("1.2.3", "1.2.3"),
        ("٣", "٣"),
        ("80%", "80%"),
        ("15m", "15m"),
        ("=", "="),
        ("claude-opus-*", "claude-opus-*"),
        ("https://example.com/#x", "https://example.com/#x"),
        ("'80'", "80"),
        ('"true"', "true"),
        ("''", ""),
        ('"<<"', "<<"),
        ("[]", []),
        ("{}", {}),
        ("[1, [two, {three: 3}]]", [1, ["two", {"three": 3}]]),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        (">\n  one\n  line\n", "one line\n"),
        ("  # a comment", None),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says_with_underscores_in_numbers(written: str, value: object, libyaml: bool) -> None:
    data = parse(f"key: {written}".encode(), "rules.yaml", libyaml=libyaml).data
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


@pytest.mark.parametrize(
    "key", ["on", "no", "50%", "80", "017", "1_000", "null", "~", "true", "1.0", "ana@example.com"]
)
def test_a_key_is_its_own_text(key: str, libyaml: bool) -> None:
    assert parse(f"{{{key}: 1}}".encode(), "rules.yaml", libyaml=libyaml).data == {key: 1}


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfa: \xc3\xa4\n",
        "a: ä\r\n".encode(),
        "a: ä\r".encode(),
        "---\na: ä\n...\n".encode(),
        "%YAML 1.2\n---\na: ä\n".encode(),
        "\n# first\n\na: ä".encode(),
    ],
    ids=["byte-order-mark", "windows", "old-mac", "document-marks", "directive", "comment-and-no-line-end"],
)
def test_the_habits_of_editors_make_no_difference(text: bytes, libyaml: bool) -> None:
    assert parse(text, "rules.yaml", libyaml=libyaml).data == {"a": "ä"}


def test_the_limits_themselves_are_within_the_limits(libyaml: bool) -> None:
    deep = "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    many = "a: [" + "1, " * (MAX_NODES - 4) + "1]"
    large = b"a: 1\n#".ljust(MAX_BYTES, b"x")
    for text in (deep.encode(), many.encode(), large):
        assert set(parse(text, "rules.yaml", libyaml=libyaml).data) == {"a"}


# Where things stand

RULES = """\
# the rules
source:
  api_key: {env: KEY}
rules:
  - id: pool
    levels: {50%: info, "80%": ä}
  -
    id: "two"
  - {id: three,
     limit:    5}
empty:
"""


@pytest.mark.parametrize(
    ("loc", "value", "key"),
    [
        ((), (2, 1), (2, 1)),
        (("source",), (3, 3), (2, 1)),
        (("source", "api_key"), (3, 12), (3, 3)),
        (("source", "api_key", "env"), (3, 18), (3, 13)),
        (("rules",), (5, 3), (4, 1)),
        (("rules", 0), (5, 5), (5, 5)),
        (("rules", 0, "levels", "80%"), (6, 32), (6, 25)),
        (("rules", 1, "id"), (8, 9), (8, 5)),
        (("rules", 2), (9, 5), (9, 5)),
        (("rules", 2, "limit"), (10, 16), (10, 6)),
        (("empty",), (11, 7), (11, 1)),
        (("missing",), (2, 1), (2, 1)),
        (("source", "missing", "deeper"), (3, 3), (2, 1)),
        (("rules", 3), (5, 3), (4, 1)),
        (("rules", "0"), (5, 3), (4, 1)),
        (("source", "api_key", "env", "env"), (3, 18), (3, 13)),
    ],
)
def test_a_position_is_that_of_the_value_or_its_key_or_the_nearest_thing_around(
    loc: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int], libyaml: bool
) -> None:
    document = parse(RULES.encode(), "rules.yaml", libyaml=libyaml)
    assert document.position(loc) == value
    assert document.position(loc, key=True) == key


def test_positions_count_characters_and_not_the_byte_order_mark(libyaml: bool) -> None:
    document = parse(b"\xef\xbb\xbf" + "{ä: 𝒳, b: 1}".encode(), "rules.yaml", libyaml=libyaml)
    assert document.position(["b"]) == (1, 11)


# What it refuses


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "is empty; begin with the ten lines of the README"),
        ("# nothing yet\n", 1, 1, "is empty"),
        ("---\n", 1, 1, "is empty"),
        ("~", 1, 1, "is empty"),
        ("\n- id: x", 2, 1, "bare list"),
        ("rules", 1, 1, "bare text"),
        ("7", 1, 1, "bare text"),
        ("a: 1\n---\nb: 2", 2, 1, "a second document"),
        ("a: 1\nb: {c: 1,\n  c: 2}", 3, 3, "`c` stands here again, first at line 2, column 5"),
        ("1: a\n'1': b", 2, 1, "`1` stands here again"),
        ("a: [*-anomaly]", 1, 5, "`*` is an alias in YAML; put it in quotes"),
        ("{*a : 1}", 1, 2, "`*` is an alias"),
        ("a: &b 1", 1, 4, "`&` is an anchor"),
        ("a: &b\n  c: 1", 1, 4, "`&` is an anchor"),
        ("a:\n  <<: {b: 1}", 2, 3, "`<<` merges nothing"),
        ("a: !secret x", 1, 4, "`!` is a tag"),
        ("a: !!str 1", 1, 4, "`!` is a tag"),
        ("a: ! x", 1, 4, "`!` is a tag"),
        ("a: !set {b: 1}", 1, 4, "`!` is a tag"),
        ("a: {{ name }}", 1, 5, "a key must be one word"),
        ("? [a]\n: b", 1, 3, "a key must be one word"),
        ("? \n: b", 1, 2, "a name is missing before the colon"),
        ("a: .nan", 1, 4, "not-a-number mean nothing here"),
        ("a: [{b: -.INF}]", 1, 9, "infinity"),
        ("a: 9223372036854775808", 1, 4, "large"),
        ("a: 1e999", 1, 4, "large"),
        ("a: " + "9" * 5000, 1, 4, "large"),
        ("a: 0x" + "F" * 5000, 1, 4, "large"),
        ("channel: #ops", 1, 9, '"#channel"'),
        ("recipients:\n  - #ops\n  - b", 2, 4, '"#channel"'),
        ("a: {env:KEY}", 1, 12, "a space after the colon"),
        ("above: >5", 1, 8, "in quotes"),
        ("a:\n\u00a0\u00a0b: 1", 2, 1, "no-break space"),
        ("rules:\n  -id: x", 2, 3, "a space after the dash"),
        ('a: "\\0"', 1, 4, "U+0000"),
        ('a: "\\e[1m"', 1, 4, "U+001B"),
        ("{" + '"a\\nb": 1, ' * 2 + "}", 1, 13, "`a b` stands here again"),
        (f"{{{'k' * 41}: 1, {'k' * 41}: 2}}", 1, 48, f"`{'k' * 39}…` stands"),
    ],
)
def test_what_yaml_would_swallow_is_refused_where_it_stands(
    text: str, line: int, column: int, words: str, libyaml: bool
) -> None:
    first = faults(text, libyaml)[0]
    assert (first.line, first.column) == (line, column)
    assert words in first.message


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a:\n\tb: 1", 2, 1, "indented with a tab; use ordinary spaces"),
        ("a:\n  \tb: 1", 2, 3, "indented with a tab"),
        ("a: x\n\ty", 2, 1, "indented with a tab"),
        ("a:\n  -\tb: 1\n    c: 2", 2, 4, "a tab stands here"),
        ("a: 1\n \u00a0b: 2", 2, 2, "indented with the space U+00A0"),
        ('a: "x\nb: 1', 1, 4, "this quote is never closed"),
        ("a: 'x\nb: 1", 1, 4, "this quote is never closed"),
        ("a: 'x\n---\nb: 1", 1, 4, "this quote is never closed"),
        ("a: 'it's'", 1, 8, "text follows a closing quote"),
        ('a: "x" y', 1, 8, "text follows a closing quote"),
        ("a: [1]]", 1, 7, "text follows a closing quote or bracket"),
        ('a: "C:\\Users"', 1, 9, "a backslash between double quotes"),
        ("a: 1\nlimit:5\nb: 2", 2, 6, "a space after this colon"),
        ("rules:\n  - id:pool\n    kind: budget", 2, 7, "a space after this colon"),
        ("rules:\n  -id: x\n   kind: y", 2, 3, "a space after the dash"),
        ("rules:\n  -a b\n   kind: y", 2, 3, "a space after the dash"),
        ("r:\n  - id: x\n  -id: z", 3, 3, "a space after the dash"),
        ("a: 1\nlimit 5\nb: 2", 2, 1, "this line has no colon"),
        ("a: b: c", 1, 5, "a second colon in the same line"),
        ("a: 1\n\n  b: 2", 3, 3, "deeper than the one above"),
        ("a:\n    b: 1\n  c: 2", 3, 3, "indentation fits none of the lines above"),
        ("r:\n  - id: x\n   kind: y", 3, 4, "indentation fits none of the lines above"),
        ("  a: 1\nb: 2", 2, 1, "indentation fits none of the lines above"),
        ("rules:\n  - a: 1\n - b: 2", 3, 2, "this list item fits none of the lines above"),
        ("a: - b", 1, 4, "a list begins on a line of its own"),
        (": x", 1, 1, "a name is missing before the colon"),
        ("a: [1, 2\nb: 3", 1, 4, "this bracket is not closed"),
        ("a: {b: 1 c: 2}", 1, 4, "a comma is missing"),
        ("a: [#ops]\nb: 1", 1, 4, "text with #"),
        ("a: [", 1, 4, "this bracket is not closed"),
        ("a:\n- {b: 1,\n", 2, 3, "this bracket is not closed"),
        ("a: [b: ", 1, 4, "this bracket is not closed"),
        ("a: @ops", 1, 4, "text that begins with `@` must stand in quotes"),
        ("a: %x", 1, 4, "`%` must stand in quotes"),
        ("a: *", 1, 4, "`*` must stand in quotes"),
        ("a: [*opus-*]", 1, 5, "`*` must stand in quotes"),
        ("a: & b", 1, 4, "`&` must stand in quotes"),
        ("a: !x!y z", 1, 4, "`!` must stand in quotes"),
        ("a: !<x y", 1, 4, "`!` must stand in quotes"),
        ("%: 1", 1, 1, "`%` must stand in quotes"),
        ("a: >=5", 1, 4, "`>` must stand in quotes"),
        ("a: |x", 1, 4, "`|` must stand in quotes"),
        ("a: ,b", 1, 4, "`,` must stand in quotes"),
        ("a: ?", 1, 4, "`?` must stand in quotes"),
        ("%YAML 2.0\n---\na: 1", 1, 1, "this is not YAML: found incompatible YAML document"),
    ],
)
def test_a_syntax_error_is_told_in_words_of_the_writer(
    text: str, line: int, column: int, words: str, libyaml: bool
) -> None:
    first = faults(text, libyaml)[0]
    assert (first.line, first.column) == (line, column)
    assert words in first.message


@pytest.mark.parametrize("escape", ["ud800", "UFFFFFFFF", "U00110000"])
def test_an_escape_that_is_no_character_is_refused(escape: str, libyaml: bool) -> None:
    assert len(faults(f'a: "\\{escape}"', libyaml)) == 1


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        (b"a: 1\nb: caf\xe9\n", 2, 7, "this is not UTF-8; save the file as UTF-8 text"),
        (b"a: 1\nb: \0\0\n", 2, 4, "binary or UTF-16"),
        ("a: ä\n".encode("utf-16"), 1, 1, "binary or UTF-16"),
        (bytes(range(256)) * 9, 1, 1, "binary or UTF-16"),
        (b"\xef\xbb\xbf\xef\xbb\xbfa: 1", 1, 1, "U+FEFF"),
        ("a: 1\u2028b: 2".encode(), 1, 5, "U+2028"),
        (b"a: x\x0b", 1, 5, "U+000B"),
        (b"a: 1\n".ljust(MAX_BYTES + 1, b"#"), 1, 1, "larger than 1 MiB"),
    ],
    ids=["latin-1", "nul", "utf-16", "binary", "two-marks", "line-separator", "control", "large"],
)
def test_what_is_no_utf_8_text_is_refused(text: bytes, line: int, column: int, words: str, libyaml: bool) -> None:
    (fault,) = faults(text, libyaml)
    assert (fault.line, fault.column) == (line, column)
    assert words in fault.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\na: 3\nb: {c: 1, c: 2}", [(2, 1), (3, 1), (4, 11)]),
        ("a: .nan\nb: *x\nc: !t 1\n<<: 2\nd: &e 1\nf: [.inf, #no\n]\na: 1e999", None),
        ("a:\n\tb: 1\n\t# no matter\n\n  \tc: 1\n", [(2, 1), (5, 3)]),
        ("a: 1\na: 2\nb: [", [(2, 1), (3, 4)]),
        (b"a: \xe9\xe9\nb: 1\nc: \xe9\n", [(1, 4), (3, 4)]),
        ("- a: 1\n  a: 2", [(1, 1), (2, 3)]),
        ("? {a: 1, a: 2}\n: 1", [(1, 3), (1, 10)]),
    ],
    ids=["duplicates", "all-sorts", "tabs", "and-syntax", "encoding", "and-top-level", "inside-a-key"],
)
def test_every_fault_that_can_be_found_is_told_at_once(
    text: str | bytes, expected: list[tuple[int, int]] | None, libyaml: bool
) -> None:
    every_line = [(1, 4), (2, 4), (3, 4), (4, 1), (5, 4), (6, 5), (8, 1), (8, 4)]
    assert places(text, libyaml) == (every_line if expected is None else expected)


def test_the_third_of_three_equal_keys_is_told_of_the_first(libyaml: bool) -> None:
    assert all("first at line 1, column 1" in fault.message for fault in faults("a: 1\na: 2\na: 3", libyaml))


def test_a_flood_of_faults_is_cut(libyaml: bool) -> None:
    found = faults("a: 1\n" * 1_000, libyaml)
    assert len(found) == MAX_FAULTS + 1
    assert (found[-1].line, found[-1].message) == (
        MAX_FAULTS + 2,
        "from here on 949 more faults; mend those above first",
    )


@pytest.mark.parametrize(
    ("bomb", "words"),
    [
        ("[" * 500_000, "nested more than 32 deep"),
        ("a: " + "[{b: " * 100_000, "nested more than 32 deep"),
        ("".join(" " * depth + "a:\n" for depth in range(1_000)), "nested more than 32 deep"),
        ("a: [" + "1," * 300_000, "more than 50,000 values"),
        ("a: [" + "*a," * 60_000, "`*` is an alias"),
        ("a: [" + "{},[]," * 60_000, "more than 50,000 values"),
    ],
    ids=["nested-lists", "nested-pairs", "nested-blocks", "many", "aliases", "many-empty"],
)
def test_a_bomb_is_put_down(bomb: str, words: str, libyaml: bool) -> None:
    assert words in faults(bomb, libyaml)[0].message


def test_aliases_count_as_values_too(libyaml: bool) -> None:
    assert "from here on 49,949 more faults" in faults("a: [" + "*a," * 60_000, libyaml)[-1].message


# The file


def test_a_file_is_loaded_under_the_name_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("a: 1\n")
    document = load(path)
    assert (document.name, document.data) == (str(path), {"a": 1})


def test_the_faults_of_a_file_are_told_as_file_line_column(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("a: 1\na: .nan\n")
    with pytest.raises(RulesFileError) as caught:
        load(path)
    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == [f"{path}:2:1:", f"{path}:2:4:"]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rules.yaml", "`usage-watch init` writes one"),
        ("file/rules.yaml", "`usage-watch init` writes one"),
        (".", "is a directory"),
        ("x" * 300, "cannot be read (File name too long)"),
    ],
    ids=["missing", "below-a-file", "directory", "unreadable"],
)
def test_a_file_that_is_not_to_be_had_is_wrong_usage(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        load(tmp_path / name)
    assert words in str(caught.value)
    assert "--config FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_an_endless_file_only_the_beginning_is_read() -> None:
    with pytest.raises(RulesFileError, match="larger than 1 MiB"):
        load(Path("/dev/zero"))


# Invariants

FOREIGN = "\x85\u2028\u2029\ufeff\ufffe\uffff"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters=FOREIGN), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(-9e18, 9e18)
    | TEXT
    | st.sampled_from(["\t", "\n", "on", "017", "<<", "*", ".nan"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
YAMLISH = st.text(st.sampled_from("ab:- \n\n  []{},#&*!|>'\"%@\t?0_.~<\\é\u00a0"), max_size=40)


def leaves(value: Any, loc: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    steps: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if steps is None:
        yield loc, value
        return
    for step, inner in steps:
        yield from leaves(inner, (*loc, step))


@pytest.mark.parametrize("libyaml", PARSERS)
@given(data=st.dictionaries(TEXT, VALUES, max_size=5), indent=st.sampled_from([None, 1, 4]))
def test_json_is_read_as_it_was_written_and_where_it_was_written(
    data: dict[str, Any], indent: int | None, libyaml: bool
) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    document = parse(text.encode(), "rules.yaml", libyaml=libyaml)
    assert document.data == data
    lines = text.split("\n")
    for loc, value in leaves(data):
        line, column = document.position(loc)
        assert lines[line - 1][column - 1 :].startswith(json.dumps(value, ensure_ascii=False))


@pytest.mark.parametrize("libyaml", PARSERS)
@given(text=st.binary(max_size=200) | YAMLISH.map(str.encode))
@example(text=b'a: "\\UFFFFFFFF"')
@example(text=b"%YAML 1." + b"9" * 5_000 + b"\n---\na: 1")
def test_any_bytes_give_a_document_or_faults_that_can_be_found_in_the_file(text: bytes, libyaml: bool) -> None:
    result = outcome(text, libyaml)
    if isinstance(result, Document):
        numbers = [value for _, value in leaves(result.data) if isinstance(value, int | float)]
        assert all(math.isfinite(number) for number in numbers)
        return
    last_line = text.count(b"\n") + text.count(b"\r") + 1
    assert result.faults
    assert all(1 <= fault.line <= last_line and fault.column >= 1 for fault in result.faults)
    assert len(str(result).splitlines()) == len(set(result.faults)) == len(result.faults)


@pytest.mark.parametrize("libyaml", PARSERS)
@given(before=YAMLISH, after=YAMLISH)
@example(before="!", after="!x")
@example(before="\n%TAG !", after="!")
def test_no_fault_repeats_a_value_for_it_may_be_a_secret(before: str, after: str, libyaml: bool) -> None:
    result = outcome(f"password: {before}S3cr3t{after}".encode(), libyaml)
    assert isinstance(result, Document) or "S3cr3t" not in str(result)
