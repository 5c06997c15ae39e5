"""CHARTS: SVG text, the same for the same numbers, for a message, the page and the command line.

Pure functions of plain values: `line_chart`, `burn_up`, `heat_map`, `bars` and `spark`, each with a `Look` that says
for which place. Levels differ by dashes and names as well as by colours, which the colour-blind can tell apart.
"""

from usage_watch.core.chart.bars import Bar, Bars, bars
from usage_watch.core.chart.burnup import BurnUp, Expected, burn_up
from usage_watch.core.chart.drawn import HEIGHT, WIDTH, chart, lines_in_sight
from usage_watch.core.chart.gauge import Gauge, gauge
from usage_watch.core.chart.heat import HeatMap, heat_map, hours_of_week
from usage_watch.core.chart.line import LineChart, line_chart
from usage_watch.core.chart.look import DARK, MAIL, NARROW, PAGE, PAPER, WIDE, Look, Palette, Size, on_page, style_sheet
from usage_watch.core.chart.spark import spark
from usage_watch.core.chart.values import Band, Course, Kind, Level, Mark, Shade

__all__ = [
    "DARK",
    "HEIGHT",
    "MAIL",
    "NARROW",
    "PAGE",
    "PAPER",
    "WIDE",
    "WIDTH",
    "Band",
    "Bar",
    "Bars",
    "BurnUp",
    "Course",
    "Expected",
    "Gauge",
    "HeatMap",
    "Kind",
    "Level",
    "LineChart",
    "Look",
    "Mark",
    "Palette",
    "Shade",
    "Size",
    "bars",
    "burn_up",
    "chart",
    "gauge",
    "heat_map",
    "hours_of_week",
    "line_chart",
    "lines_in_sight",
    "on_page",
    "spark",
    "style_sheet",
]
