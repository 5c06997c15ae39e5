"""Whether a silence can hold anything back: one with a typing error silences nothing, and nobody would notice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from usage_watch.config.advice import PARTS
from usage_watch.config.shapes import either, near
from usage_watch.core.datasets import DATASETS, find_axis
from usage_watch.core.message import Severity
from usage_watch.core.plain import plain
from usage_watch.core.selection import MEMBER
from usage_watch.core.silence import FIELDS, Matcher, Operator
from usage_watch.errors import UsageError
from usage_watch.meta import KIND as META
from usage_watch.meta import RULES as META_RULES

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.rules import Rule

Categories = Mapping[tuple[str, str], Collection[str]]
"""By dataset and axis (as the source writes it, or `member`), the categories that stored history has."""

_META_LABELS = ("Channel", "Dataset", "Feed", "Rule", MEMBER)
"""Of what the watcher says of itself."""
_SHOWN = 5
_LONGEST = 80
"""Characters of what a sentence repeats."""


@dataclass(frozen=True, slots=True)
class Sort:
    """What the alerts of one rule may be like."""

    fields: Mapping[str, Collection[str]]
    """The values that each of `FIELDS` may have."""
    labels: Mapping[str, Collection[str]]
    """The values of each label that history has seen; there may be more of them."""

    def may_match(self, matcher: Matcher) -> bool:
        """Whether any of them could be what a matcher is about."""
        if matcher.name in self.labels:
            return True
        return any(matcher.takes(value) for value in self.fields.get(matcher.name, ("",)))


def sorts(config: Config, categories: Categories) -> list[Sort]:
    """One of each rule, and of each thing that the watcher says of itself."""
    own = [
        _sort(
            name, META, Severity, ("",), ["", *{rule.dataset for rule in config.rules}], dict.fromkeys(_META_LABELS, ())
        )
        for name in META_RULES
    ]
    return [*(_of_rule(rule, categories) for rule in config.rules), *own]


def _of_rule(rule: Rule, categories: Categories) -> Sort:
    severities = [level.severity for level in rule.levels]
    label = _label(rule, categories)
    labels = {} if label is None else {label: categories.get((rule.dataset, label), ())}
    return _sort(rule.id, rule.kind, severities, PARTS.get(rule.kind, ("",)), [rule.dataset], labels)


def _sort(
    rule: str,
    kind: str,
    severities: Iterable[Severity],
    parts: Collection[str],
    datasets: Collection[str],
    labels: Mapping[str, Collection[str]],
) -> Sort:
    values = ([rule], [kind], parts, [each.value for each in severities], datasets)
    return Sort(dict(zip(FIELDS, values, strict=True)), labels)


def _label(rule: Rule, categories: Categories) -> str | None:
    """How the rule's alerts spell what it splits by."""
    return None if rule.for_each is None else _spelled(rule.for_each, rule.dataset, categories)


def _spelled(name: str, dataset: str, categories: Categories) -> str:
    seen = [axis for known, axis in categories if known == dataset]
    documented = DATASETS[dataset].axes if dataset in DATASETS else ()
    return find_axis(name, [*seen, *documented, MEMBER]) or name


def plausible(matchers: Sequence[Matcher], config: Config, categories: Categories) -> list[Matcher]:
    """The matchers, with each name as alerts spell it. UsageError where no alert of these rules could match."""
    every = sorts(config, categories)
    # What the watcher says of itself has labels that no rule needs to have: they count where it is meant.
    meant = any(matcher.name.casefold() in ("rule", "kind") for matcher in matchers)
    found = [each if meant or META not in each.fields["kind"] else replace(each, labels={}) for each in every]
    spelled = [replace(matcher, name=_known(matcher, found, config)) for matcher in matchers]
    for matcher in spelled:
        _check_value(matcher, found)
    _check_together(spelled, found)
    return spelled


def _known(matcher: Matcher, every: Sequence[Sort], config: Config) -> str:
    labels = sorted({label for each in every for label in each.labels})
    known = find_axis(matcher.name, [*FIELDS, *labels])
    if known is not None:
        return known
    narrowing = [rule.id for rule in config.rules if find_axis(matcher.name, rule.where)]
    if narrowing:
        why = (
            f"a rule that only narrows by it has one alert for all of that; name the rule, such as rule={narrowing[0]}"
        )
        raise UsageError(f"{_shown(matcher)}: no alert says its {plain(matcher.name, _LONGEST)}: {why}.")
    meant = near(matcher.name, [*FIELDS, *labels])
    hint = f"did you mean {meant}?" if meant else f"there is {either([*FIELDS, *labels], 'and')}."
    raise UsageError(f"{_shown(matcher)}: no alert of these rules has a {plain(matcher.name, _LONGEST)}; {hint}")


def _check_value(matcher: Matcher, every: Sequence[Sort]) -> None:
    """`rule!=hourly-credit` would leave nothing out: so what a matcher excludes must be possible too."""
    if matcher.name not in FIELDS:
        return
    known = sorted({value for each in every for value in each.fields[matcher.name]})
    if not any(_includes(matcher).takes(value) for value in known):
        raise UsageError(
            f"{_shown(matcher)}: there is no such {matcher.name} in the rules file; {_hint(matcher, known)}"
        )


def _shown(matcher: Matcher) -> str:
    return plain(str(matcher), _LONGEST)


def _includes(matcher: Matcher) -> Matcher:
    exact = matcher.operator in (Operator.IS, Operator.IS_NOT)
    return replace(matcher, operator=Operator.IS if exact else Operator.LIKE)


def _hint(matcher: Matcher, known: Sequence[str]) -> str:
    names = [name for name in known if name and not name.startswith(f"{META}:")]
    meant = near(matcher.value, [name for name in known if name])
    if meant:
        return f"did you mean {meant}?"
    more = [f"{len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return f"there is {either([*names[:_SHOWN], *more], 'and') or 'none'}."


def _check_together(matchers: Sequence[Matcher], every: Sequence[Sort]) -> None:
    if _all(matchers, every):
        return
    for odd in reversed(matchers):
        rest = _all([each for each in matchers if each is not odd], every)
        if rest:
            rules = [rule for each in rest for rule in each.fields["rule"]]
            of = f"{', '.join(rules[:_SHOWN])}{', …' if len(rules) > _SHOWN else ''}"
            raise UsageError(
                f"{_shown(odd)}: no alert of {of} could match that, so nothing would be silenced; leave it out."
            )
    raise UsageError("no alert could match all of these matchers together, so nothing would be silenced.")


def _all(matchers: Sequence[Matcher], every: Sequence[Sort]) -> list[Sort]:
    return [each for each in every if all(each.may_match(matcher) for matcher in matchers)]


def unseen(matchers: Iterable[Matcher], config: Config, categories: Categories) -> Iterator[str]:
    """What history has never had under a label: it may come, but it may be a typing error too."""
    every = sorts(config, categories)
    for matcher in matchers:
        known = {value for each in every for value in each.labels.get(matcher.name, ())}
        if known and not any(_includes(matcher).takes(value) for value in {"", *known}):
            meant = near(matcher.value, sorted(known))
            yield f"{_shown(matcher)}: history has never seen such a {matcher.name}" + (
                f"; did you mean {meant}?" if meant else ""
            )
