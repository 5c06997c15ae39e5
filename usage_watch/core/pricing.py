"""Amounts in a message: what its credits cost at the list price. Pure."""

from __future__ import annotations

from dataclasses import replace

from usage_watch.core.entry import META
from usage_watch.core.message import Fact, Message, Notice
from usage_watch.core.money import CREDITS, Price

AT_LIST_PRICE = "At list price"
"""The name of what is said of number and limit in money."""


def priced(message: Message, price: Price | None) -> Message:
    """The message with amounts beside the credits that its alerts are about."""
    if price is None:
        return message
    news, standing = (tuple(_priced(each, price) for each in notices) for notices in (message.news, message.standing))
    return replace(message, news=news, standing=standing)


def _priced(notice: Notice, price: Price) -> Notice:
    evidence = notice.evidence
    summary = price.beside(evidence.summary)
    # That nothing is used, or that the source revised a total, is not about what it costs.
    if evidence.unit != CREDITS or notice.rule.kind == META or summary == evidence.summary:
        return notice
    limit = "limit" if "limit" in summary else "level"
    said = Fact(AT_LIST_PRICE, f"{price.amount(evidence.value)}; {limit} {price.amount(evidence.limit)}")
    return replace(
        notice,
        price=price,
        latest=None if notice.latest is None else price.beside(notice.latest),
        evidence=replace(evidence, summary=summary, facts=(*evidence.facts, said)),
    )
