"""`usage-watch chart`: the chart of a rule's series, by what is stored."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import click

from usage_watch.cli.common.session import Command, Session, pass_session
from usage_watch.core.plain import plain
from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from usage_watch.cli.budgets.state import Ahead, Budget
    from usage_watch.config import Config
    from usage_watch.core.chart import BurnUp, Expected, Look
    from usage_watch.core.selection import Selected
    from usage_watch.core.series import FeedHistory
    from usage_watch.rules import FileDefaults, Rule
    from usage_watch.rules.budget import BudgetRule
    from usage_watch.store.database import Database

_SHOWN = 8
"""Other series that are named."""
_LONGEST = 80
"""Characters of what a sentence repeats."""
_NO_PNG = 'No picture can be made: install the extra, pip install "usage-watch[png]", or write --svg.'


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be drawn."""

    rule: Rule
    config: Config
    defaults: FileDefaults
    database: Database
    series: str | None
    since: str | None
    now: datetime


@click.command(cls=Command)
@click.argument("rule")
@click.option(
    "--series", metavar="NAME", help="Of a rule with `for_each`: `Model=NAME`, or only the name; else the largest."
)
@click.option("--svg", "form", flag_value="svg", default="svg", help="Text that any browser shows; the default.")
@click.option("--png", "form", flag_value="png", help='A picture; needs the extra: pip install "usage-watch[png]".')
@click.option("--since", metavar="TIME", help="From when on: 90d, 2026-11-01 or 2026-11-01T14:00Z; 7d by default.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; else to standard output.")
@pass_session
def chart(session: Session, rule: str, series: str | None, form: str, since: str | None, output: Path | None) -> None:
    """Draw what a rule judges: what came, what is usual, its levels and its alerts.

    RULE is a rule's id. A budget is drawn in its running period: what is spent, an even pace and what is expected.
    """
    from usage_watch.clock import open_clock

    if form == "png" and output is None and sys.stdout.isatty():
        raise UsageError("A picture is not for a terminal; write --output FILE, or --svg.")
    config, now = session.config(), open_clock().now()
    found = _rule(config, rule)
    with session.reading(config) as database:
        asked = _Asked(found, config, _taught(config, database), database, series, since, now)
        svg = _drawn(asked)
    _put(_picture(svg) if form == "png" else svg.encode(), output)


def _rule(config: Config, id: str) -> Rule:
    found = next((each for each in config.rules if each.id == id), None)
    if found is None:
        known = ", ".join(each.id for each in config.rules[:_SHOWN]) + (", …" if len(config.rules) > _SHOWN else "")
        raise UsageError(f"There is no rule {plain(id, _LONGEST)!r}; rules are {known}.")
    return found


def _taught(config: Config, database: Database) -> FileDefaults:
    """What the file says for all rules, and what people answered to alerts."""
    from usage_watch.store.answers import AnswerStore

    answers, defaults = AnswerStore(database), config.defaults
    return replace(defaults, lessons=defaults.lessons.with_answers(answers.expected(), answers.rebased()))


def _drawn(asked: _Asked) -> str:
    from usage_watch.core.chart import Look
    from usage_watch.rules.budget import BudgetRule

    if isinstance(asked.rule, BudgetRule) and asked.rule.rolling is None:
        return _budget(asked, asked.rule, Look())
    return _line(asked, Look())


def _picture(svg: str) -> bytes:
    from usage_watch.channels.email.picture import png

    found = png(svg, any_letters=True)
    if found is None:
        raise UsageError(_NO_PNG)
    return found


def _put(data: bytes, output: Path | None) -> None:
    if output is None:
        click.echo(data, nl=False)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{plain(str(output), _LONGEST)} cannot be written: {error.strerror}.") from None


# Over time


def _line(asked: _Asked, look: Look) -> str:
    from usage_watch.cli.common.times import since_at
    from usage_watch.core.chart import LineChart, line_chart
    from usage_watch.rules.charting import charted

    rule, defaults = asked.rule, asked.defaults
    since = since_at("7d" if asked.since is None else asked.since, asked.now)
    history = _history(asked, since)
    labels = _labels(asked, history, since)
    found = charted(rule, history, since, defaults, labels)
    if found is None:
        raise UsageError(f"Nothing of {rule.id} is stored since then; write an earlier --since.")
    return line_chart(
        LineChart(
            title=_title(rule, labels),
            what=found.what,
            course=found.course,
            zone=asked.config.timezone,
            band=found.band,
            levels=found.levels,
            shades=found.shades,
        ),
        look,
    )


def _history(asked: _Asked, since: datetime) -> FeedHistory:
    from usage_watch.store.history import HistoryStore

    feed = asked.rule.feed
    history = HistoryStore(asked.database).load({feed: asked.rule.look_back(since, asked.defaults)})[feed]
    if not len(history.starts):
        raise UsageError(f"Nothing is stored of {feed} yet; `usage-watch status` says what is read.")
    return history


def _title(rule: Rule, labels: Mapping[str, str]) -> str:
    """A title that is filled in alert by alert says nothing here."""
    title = rule.title if rule.title and "$" not in rule.title else rule.id
    return ": ".join([title, *labels.values()])


# Which series


def _labels(asked: _Asked, history: FeedHistory, since: datetime) -> Mapping[str, str]:
    """Those of the series that was asked for, or of the largest."""
    found = asked.rule.series(history, asked.defaults) if _is_budget(asked.rule) else asked.rule.watched(history)
    sizes = {id(each): _size(each, history, since) for each in found}
    return _chosen(asked, [each.labels for each in sorted(found, key=lambda each: -sizes[id(each)])])


def _is_budget(rule: Rule) -> TypeGuard[BudgetRule]:
    from usage_watch.rules.budget import BudgetRule

    return isinstance(rule, BudgetRule)


def _size(series: Selected, history: FeedHistory, since: datetime) -> int:
    from usage_watch.core.units import to_epoch

    return int(series.counts[history.starts >= to_epoch(since)].sum())


def _chosen(asked: _Asked, every: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """The first of those that match, the largest first; who was not asked for is named."""
    rule, wanted = asked.rule, asked.series
    if rule.for_each is None and wanted is not None:
        raise UsageError(f"{rule.id} has only one series; leave --series out.")
    if not every:
        raise UsageError(f"{rule.id} has no series yet; `usage-watch status` says what is read.")
    found = every if wanted is None else [each for each in every if _matches(each, wanted)]
    if not found:
        name = plain(wanted or "", _LONGEST)
        raise UsageError(f"{rule.id} has no series {name!r}; the largest are {_names(every)}.")
    if wanted is None and len(every) > 1:
        largest = f"{_names(every[:1])} is drawn, the largest of {len(every):,}"
        click.echo(f"{largest}; others are {_names(every[1:])}: choose with --series.", err=True)
    return found[0]


def _matches(labels: Mapping[str, str], wanted: str) -> bool:
    """`NAME`, or `Axis=NAME`."""
    from usage_watch.core.selection import fold_label

    pairs = [(fold_label(axis), value.casefold()) for axis, value in labels.items()]
    axis, _, value = wanted.partition("=")
    return any(wanted.casefold() == own or (fold_label(axis), value.casefold()) == (name, own) for name, own in pairs)


def _names(every: Sequence[Mapping[str, str]]) -> str:
    named = [plain(" ".join(each.values()), _LONGEST) for each in every[:_SHOWN]]
    return ", ".join(named) + (", …" if len(every) > _SHOWN else "")


# In its period


def _budget(asked: _Asked, rule: BudgetRule, look: Look) -> str:
    from usage_watch.cli.budgets.reading import budgets
    from usage_watch.core.chart import burn_up

    if asked.since is not None:
        raise UsageError(f"{rule.id} is drawn from the start of its period on; leave --since out.")
    [budget] = budgets(asked.config, asked.database, [rule], asked.now)
    if budget.span is None:
        raise UsageError(f"The first period of {rule.id} has not begun; there is nothing to draw yet.")
    return burn_up(_burn_up(asked, budget), look)


def _burn_up(asked: _Asked, budget: Budget) -> BurnUp:
    import numpy as np

    from usage_watch.core.chart import BurnUp, Course
    from usage_watch.rules.budget.levels import PART
    from usage_watch.rules.charting import rungs, settled_until

    rule, span = budget.rule, budget.span
    assert span is not None
    history = _history(asked, span.start_at)
    labels = _chosen(asked, [each.labels for each in budget.lines])
    line = next(each for each in budget.lines if each.labels == labels)
    judged = rule.judge_whole(history, span.start_at, asked.defaults, labels)
    spent = next((each for each in judged if each.part == PART and each.period_at == span.start_at), None)
    none = np.zeros(0)
    starts, values = (none.astype(np.int64), none) if spent is None else (spent.starts, spent.values)
    return BurnUp(
        title=_title(rule, labels),
        unit=rule.unit,
        span=span,
        zone=budget.zone,
        limit=line.limit,
        spent=Course(starts, rule.width, values, settled_until(history, int(span.start_at.timestamp()))),
        levels=[each for each in rungs(rule, line.limit) if each.value < line.limit],
        expected=None if line.ahead is None else _expected(line.ahead),
    )


def _expected(ahead: Ahead) -> Expected:
    from usage_watch.core.chart import Expected

    return Expected(ahead.low, ahead.median, ahead.high, ahead.earliest_at, ahead.run_out_at, ahead.latest_at)
