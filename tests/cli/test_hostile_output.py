"""Whatever the source calls a model, and whatever a receiver answers: a terminal that is told of it obeys nothing."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.channels.evil import EVIL
from tests.channels.inert import check_terminal
from tests.channels.samples import hostile
from tests.cli.conftest import Cli
from tests.cli.office import NOW
from tests.store.store_samples import incident, post
from usage_watch.core.incident import Incident
from usage_watch.core.message import Reason
from usage_watch.core.promise import Decision
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import open_for_writing
from usage_watch.store.outbox import Failure, Outbox, State

STRINGS = 100
_HALF = re.compile("[\ud800-\udfff]")
"""Of a surrogate pair: the source's answers are refused for it, so that none is ever stored."""


def strings() -> list[str]:
    """Every known trick, and as many of all letters there are."""
    rolls = random.Random(5)
    letters = [chr(rolls.randrange(0x110000)) for _ in range(2_000)] + [chr(code) for code in range(0xA0)]
    made = ("".join(rolls.choices(letters + EVIL, k=12)) for _ in range(STRINGS - len(EVIL)))
    return [_HALF.sub("", text) for text in (*EVIL, *made)]


def hostile_incident(number: int, text: str) -> Incident:
    """Open, with the text wherever something from outside can stand."""
    [said] = hostile(text).news
    plain = incident(number)
    rule = replace(said.rule, id="hourly-credits")
    return replace(plain, rule=rule, labels=said.labels, evidence=said.evidence)


def test_no_command_that_shows_alerts_lets_anything_through(cli: Cli, watched: Path) -> None:
    texts = strings()
    found = [hostile_incident(number, text) for number, text in enumerate(texts, 1)]
    posts = [post(number, about, "screen", conversation=f"cnv_{number}") for number, about in enumerate(found, 1)]
    reasons = [
        Decision(about.id, text or None, Reason.FIRED, False, text) for about, text in zip(found, texts, strict=True)
    ]
    with open_for_writing(watched.parent / "usage-watch.db") as database:
        AlertStore(database).commit(found, [], reasons, posts, NOW)
        outbox = Outbox(database)
        failure = Failure("", State.QUEUED, NOW + timedelta(hours=1), False, False, None, None)
        for text in texts:
            (row,) = outbox.lease(NOW)
            outbox.record_failure(row, NOW, replace(failure, detail=text))
    assert len(texts) == STRINGS
    shown = [cli("status"), cli("alerts", "list"), *(cli("alerts", "show", about.id) for about in found)]
    data = [cli("status", "--json"), cli("alerts", "list", "--json"), cli("alerts", "show", found[0].id, "--json")]
    for ran in (*shown, *data):
        assert (ran.code, ran.err) == (0, "")
        check_terminal(ran.out)
    assert len(json.loads(data[1].out)) >= STRINGS
