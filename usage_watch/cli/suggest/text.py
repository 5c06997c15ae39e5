"""A rules file of what is suggested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from usage_watch.cli.common.layout import wrapped
from usage_watch.cli.draft import Draft, Written, flow, packed
from usage_watch.cli.frequency.counting import taught
from usage_watch.cli.frequency.progress import counting
from usage_watch.cli.suggest.material import Material, gathered
from usage_watch.cli.suggest.rules import Proposal, proposals
from usage_watch.clock import open_clock
from usage_watch.core.message import Severity
from usage_watch.core.plain import plain
from usage_watch.rules import routes
from usage_watch.store.history import HistoryStore

if TYPE_CHECKING:
    from usage_watch.cli.common.session import Session
    from usage_watch.config import Config
    from usage_watch.yamlfile import Document

_WIDTH = 110


@dataclass(frozen=True, slots=True)
class Head:
    """All of a rules file but its rules."""

    lines: tuple[str, ...]
    source: str | None
    """The file that it was taken from; None where it was made."""


def head_of(document: Document) -> Head:
    """As it stands in a file that is there already; its comments stay behind."""
    written = {name: value for name, value in document.data.items() if name != "rules"}
    return Head(tuple(line for name, value in written.items() for line in _section(name, value)), document.name)


def head_from(draft: Draft) -> Head:
    """As `init` makes one."""
    return Head(tuple(draft.head()), None)


def _section(name: str, value: Written) -> Iterator[str]:
    """A field of the file, and what it holds in lines of their own."""
    if isinstance(value, Mapping) and name == "channels" and value:
        yield f"{name}:"
        for channel, fields in value.items():
            yield from _lines(f"  {flow(channel)}: ", fields)
    else:
        yield from _lines(f"{name}: ", value)


def _lines(head: str, value: Written) -> list[str]:
    return packed(head, value) if isinstance(value, Mapping) and value else [f"{head}{flow(value)}"]


def suggested(session: Session, config: Config, head: Head, limit: int | None) -> str:
    """A file of rules made from what the database of a file holds. `limit`: of a cycle, where a human has said it."""
    with session.reading(config) as database, counting() as shown:
        shown("each rule")
        material = gathered(HistoryStore(database), taught(config, database), open_clock().now())
        informs = bool(routes(config.notify).get(Severity.INFO))
        return _rendered(head, material, proposals(material, limit, informs))


def _rendered(head: Head, material: Material, found: Iterable[Proposal]) -> str:
    """The whole file."""
    lines = [*_comment(_about(head, material), ""), *head.lines, "rules:"]
    for proposal in found:
        lines += _comment(" ".join(proposal.comments), "  ")
        if proposal.rule is not None:
            lines += packed("  - ", proposal.rule)
    return "".join(f"{line}\n" for line in lines)


def _about(head: Head, material: Material) -> str:
    rest = "" if head.source is None else f" All but the rules is taken from {plain(head.source, 200)}."
    days = f"{(material.known[1] - material.known[0]).days} days"
    backtest = "`usage-watch backtest --rules FILE` replays them hour by hour, late numbers included."
    counts = f"Times are counted on what has settled, in the last 90 days at most: {backtest}"
    return f"Suggested on {material.now:%Y-%m-%d} from {days} of stored usage.{rest} {counts}"


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in wrapped(text, _WIDTH)]
