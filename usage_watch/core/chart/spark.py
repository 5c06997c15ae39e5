"""A course as small as a word, to stand in a line of text."""

from __future__ import annotations

import numpy as np

from usage_watch.core.chart.look import Look, Size
from usage_watch.core.chart.parts import runs
from usage_watch.core.chart.svg import ROUND, SENTENCE, at, path, said, trace
from usage_watch.core.chart.values import drawable
from usage_watch.core.series import Floats

SMALL = Size(120, 24)
_EDGE = 3


def spark(values: Floats, what: str, look: Look, size: Size = SMALL) -> str:
    """SVG without axes: from 0 to the highest, a dot at the newest; `what` is read out. NaN is left open."""
    shown = drawable(values)
    known = np.flatnonzero(~np.isnan(shown))
    top = max(float(shown[known].max()), 1e-12) if len(known) else 1.0
    xs = _EDGE + (size.width - 2 * _EDGE) * np.arange(len(shown)) / max(1, len(shown) - 1)
    ys = size.height - _EDGE - (size.height - 2 * _EDGE) * np.clip(shown / top, 0, 1)
    line = "".join(trace(xs[run], ys[run]) for run in runs(~np.isnan(shown)))
    palette, parts = look.palette, [f"<title>{said(what, SENTENCE)}</title>"]
    if line:
        x, y = xs[known[-1]], ys[known[-1]]
        parts.append(path(line, stroke=palette.course, width=1.5, more=ROUND))
        parts.append(f'<circle cx="{at(x)}" cy="{at(y)}" r="2.5" fill="{palette.course}"/>')
    label = f'role="img" aria-label="{said(what, SENTENCE)}"'
    box = f'width="{size.width}" height="{size.height}" viewBox="0 0 {size.width} {size.height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} {label}>{"".join(parts)}</svg>'
