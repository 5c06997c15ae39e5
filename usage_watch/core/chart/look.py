"""How charts look: sizes, and colours that the colour-blind tell apart, on paper and on a page that may be dark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from usage_watch.core.message import Severity

NARROWER = 480
"""Pixels: below that names stand within the plot, and letters are a little smaller."""
_SLIM, _WIDE = frozenset("iljtfrI.,:;|!'()[] "), frozenset("mwMW%@—…")
_LETTERS = {**dict.fromkeys(_SLIM, 0.38), **dict.fromkeys(_WIDE, 0.95)}
"""Widths of letters, as parts of their size; all others are about two thirds of it."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as SVG takes them."""

    ground: str
    ink: str
    faint: str
    grid: str
    course: str
    tail: str
    """Of what may still grow."""
    band: str
    critical: str
    warning: str
    info: str
    heat: tuple[str, ...]
    """From nothing to the most."""
    unread: str
    """Where nothing is known, in a heat map."""
    fonts: str

    def severity(self, severity: Severity) -> str:
        """A level's colour; its dashes tell it apart where colours do not."""
        return {Severity.CRITICAL: self.critical, Severity.WARNING: self.warning, Severity.INFO: self.info}[severity]


PAPER = Palette(
    ground="#fff",
    ink="#24292f",
    faint="#57606a",
    grid="#e4e6ea",
    course="#0072b2",
    tail="#4d9fd0",
    band="#d3e6f3",
    critical="#d55e00",
    warning="#b07c00",
    info="#2f8fc4",
    heat=("#f1f5f9", "#d0e1f0", "#9fc6e3", "#63a3cf", "#2b7bb8", "#0b4f8a"),
    unread="#fff",
    fonts="DejaVu Sans,Verdana,sans-serif",
)
"""On a white ground of its own, which carries it through dark mail programs and onto paper."""

DARK = Palette(
    ground="#0f1419",
    ink="#e6edf3",
    faint="#a3adb8",
    grid="#2b323b",
    course="#58b0ea",
    tail="#3f7ba6",
    band="#1d3950",
    critical="#ff8a4c",
    warning="#e0b040",
    info="#8cc8f0",
    heat=("#18202a", "#1c3a55", "#1f5680", "#2b7bb8", "#63a9dc", "#b5dcf8"),
    unread="#0f1419",
    fonts=PAPER.fonts,
)
"""For eyes at night."""


def _named(palette: Palette) -> Iterator[tuple[str, str]]:
    """Each colour with the name that it has in a style sheet."""
    for each in fields(palette):
        value = getattr(palette, each.name)
        if each.name == "heat":
            yield from ((f"--chart-heat-{place}", colour) for place, colour in enumerate(value))
        elif each.name != "fonts":
            yield f"--chart-{each.name}", value


_VARIABLES = {name: f"var({name},{colour})" for name, colour in _named(PAPER)}

PAGE = replace(
    PAPER,
    **{each.name: _VARIABLES[f"--chart-{each.name}"] for each in fields(Palette) if each.name not in ("heat", "fonts")},
    heat=tuple(_VARIABLES[f"--chart-heat-{place}"] for place in range(len(PAPER.heat))),
    fonts="system-ui,sans-serif",
)
"""Whatever the page's style sheet says, for which `style_sheet` is the beginning; without one, as on paper."""


def style_sheet() -> str:
    """CSS of a page with charts: light, dark where that is preferred, light on paper; wide or narrow by the screen."""
    light, dark = (";".join(f"{name}:{colour}" for name, colour in _named(each)) for each in (PAPER, DARK))
    return (
        f":root{{{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        ".chart{display:block;width:100%;height:auto}.chart-narrow{display:none}"
        "@media(max-width:640px){.chart-wide{display:none}.chart-narrow{display:block}}"
    )


@dataclass(frozen=True, slots=True)
class Size:
    """Pixels that a chart is laid out for."""

    width: int
    height: int

    @property
    def is_narrow(self) -> bool:
        """Whether there is no room beside the plot."""
        return self.width < NARROWER

    @property
    def font(self) -> int:
        """Size of its letters."""
        return 12 if self.is_narrow else 13

    def length(self, text: str, size: int = 0) -> float:
        """About how wide a text is."""
        return sum(_LETTERS.get(letter, 0.64) for letter in text) * (size or self.font)


MAIL = Size(600, 240)
WIDE = Size(960, 300)
NARROW = Size(344, 260)
"""A phone of 360 pixels, with edges."""


@dataclass(frozen=True, slots=True)
class Look:
    """For which place a chart is drawn."""

    size: Size = WIDE
    palette: Palette = PAPER
    key: str = "c"
    """Begins the ids in it, which are unique in a page."""
    css_class: str | None = None
    """Given where a page's style sheet says how wide it is."""
    titled: bool = True
    """Whether its title can be seen; else it is only read out."""
    tips: bool = True
    """Whether what is pointed at says more; of no use in a picture."""


def on_page(key: str, *, titled: bool = False) -> tuple[Look, Look]:
    """A wide and a narrow look, of which the page's style sheet shows the one that fits."""
    return (
        Look(WIDE, PAGE, f"{key}-w", "chart chart-wide", titled),
        Look(NARROW, PAGE, f"{key}-n", "chart chart-narrow", titled),
    )
