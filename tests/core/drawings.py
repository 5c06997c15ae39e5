"""Whether a drawing is whole: XML, our elements alone, and nothing outside of its edges."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from tests.channels.inert import is_clean

GOLDEN = Path(__file__).parent.parent / "golden" / "charts"
_ELEMENTS = {"svg", "title", "desc", "rect", "text", "path", "circle", "g"}
_PIECE = re.compile(r"([MLHVlhvz])|(-?(?:\d+\.?\d*|\.\d+))")


def check_golden(name: str, svg: str) -> None:
    """To the byte. After a wanted change run with `UPDATE_GOLDEN=1`, and look at the files in a browser."""
    path = GOLDEN / f"{name}.svg"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(svg, encoding="utf-8")
    assert svg == path.read_text(encoding="utf-8")


def check(svg: str) -> ElementTree.Element:
    """The root of a drawing that is whole."""
    root = ElementTree.fromstring(svg)
    width, height = (float(each) for each in root.attrib["viewBox"].split()[2:])
    for each in root.iter():
        assert each.tag.rpartition("}")[2] in _ELEMENTS
        assert not any("href" in name or name.startswith("on") or name == "style" for name in each.attrib)
        assert is_clean((each.text or "").strip("\n"))
        assert not any(re.search(r"\b(nan|inf)\b", value) for name, value in each.attrib.items() if "aria" not in name)
        for x, y in _places(each):
            assert -0.05 <= x <= width + 0.05, (each.attrib, x)
            assert -0.05 <= y <= height + 0.05, (each.attrib, y)
    return root


def texts(svg: str) -> list[str]:
    """What can be read in it, in the order of the file."""
    return [each.text or "" for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("}text")]


def tips(svg: str) -> list[str]:
    """What is said when something is pointed at."""
    parents = (each for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("}path"))
    return [each[0].text or "" for each in parents if len(each)]


def _places(each: ElementTree.Element) -> Iterator[tuple[float, float]]:
    if "d" in each.attrib:
        yield from path_places(each.attrib["d"])
    elif "x" in each.attrib or "cx" in each.attrib:
        yield float(each.attrib.get("x", each.attrib.get("cx"))), float(each.attrib.get("y", each.attrib.get("cy")))


def path_places(d: str) -> Iterator[tuple[float, float]]:
    """Every point of a path."""
    x = y = 0.0
    numbers: list[float] = []
    command = "M"
    for letter, digits in _PIECE.findall(d):
        if letter:
            command, numbers = letter, []
            continue
        numbers.append(float(digits))
        if len(numbers) < (1 if command in "HhVv" else 2):
            continue
        match command:
            case "M" | "L":
                x, y = numbers
            case "l":
                x, y = x + numbers[0], y + numbers[1]
            case "H":
                [x] = numbers
            case "V":
                [y] = numbers
            case "h":
                x += numbers[0]
            case "v":
                y += numbers[0]
        numbers = []
        yield x, y
