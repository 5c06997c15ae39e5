"""The first screen over what real cycles left."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.cli.office import NOW
from tests.web.page.office import KEY, Office, veiled, written
from usage_watch.config import load
from usage_watch.core.silence import Ack
from usage_watch.store.database import open_for_writing
from usage_watch.store.silences import SilenceStore
from usage_watch.vitals import Hindered, Vitals
from usage_watch.web.answer import Asked
from usage_watch.web.page.site import Site


def sentence(well: Office) -> str:
    found = re.search("<h1>(.*?)</h1>", well.answer("/")[1])
    assert found is not None
    return re.sub("<[^>]+>", "", found[1])


def test_one_sentence_says_how_things_stand(well: Office) -> None:
    assert (
        sentence(well) == "Credits of this cycle: over by 10,800; 3 alerts need you; usage until 14:00, read at 15:05."
    )


def test_each_part_of_the_page_is_there(well: Office) -> None:
    page = well.page("/")
    assert [name for _, name in page.headings][1:] == [
        "Credits of this cycle",
        "Needs an answer",
        "The last 7 days",
        "Members against usual",
        "Models against usual",
        "The watcher",
    ]
    assert page.charts == 2 * 4, "a gauge, a week, members and models, each for a wide screen and a narrow one"
    assert "rule?id=cycle" in page.links
    assert {f"alert?id={each.id}" for each in well.incidents() if each.rule.id == "runaway" and each.open} <= {
        *page.links
    }
    assert any(each.startswith("usage-watch alerts ack inc_") for each in page.codes)


def test_who_is_acknowledged_needs_nobody(well: Office, tmp_path: Path) -> None:
    known = well.copy(tmp_path)
    runaway = known.one("runaway")
    with open_for_writing(known.database) as database:
        SilenceStore(database).ack(Ack(runaway.id, runaway.rank, NOW, "ana", None))
    assert "; 2 alerts need you; " in sentence(known)
    page = known.page("/")
    assert f"usage-watch alerts ack {runaway.id}" not in page.codes
    assert "1 more is open: known, held back, or for information." in page.said


def test_a_daemon_that_asks_no_more_is_seen(well: Office) -> None:
    late = replace(well, now=NOW + timedelta(hours=7))
    assert sentence(late).endswith("; usage until 14:00, read at 15:05 and not since.")
    assert "Nothing has asked since" in late.page("/").said


def test_a_source_that_cannot_be_read_is_said_and_why(office: Office) -> None:
    assert sentence(office).endswith("; the source cannot be read.")
    assert office.page("/").said.count("failed attempt") == 1, "of several feeds, once"


def test_a_budget_that_nobody_has_read_promises_nothing(tmp_path: Path) -> None:
    new = written(tmp_path, "rules: [{{id: x, kind: budget, limit: 5}}]\nstore: {{path: {store}}}\n", "")
    open_for_writing(new.database).close()
    assert sentence(new) == "nothing needs you; nothing is read yet."


def test_where_no_rule_is_enabled_nothing_is_watched(tmp_path: Path) -> None:
    text = "rules: [{{id: x, kind: budget, limit: 5, enabled: false}}]\nstore: {{path: {store}}}\n"
    new = written(tmp_path, text, "")
    open_for_writing(new.database).close()
    assert sentence(new) == "nothing needs you; nothing is watched: no rule is enabled."
    assert "1 rule, of which 1 is disabled; nothing is judged." in new.page("/rules").said


def test_a_watcher_whose_database_stands_in_its_way_is_not_well(well: Office) -> None:
    vitals = Vitals(NOW)
    vitals.hindered = Hindered(NOW, "the disk is full", heard=True)
    page = Site(well.database, load(well.rules, KEY), vitals, lambda: NOW).pages["/"](Asked("/", ""))
    assert '; <span class="critical">the watcher is in trouble</span>.</h1>' in page.body.decode()


def test_before_the_first_cycle_there_is_little_to_say(tmp_path: Path) -> None:
    new = written(tmp_path, "rules: [{{id: x, kind: threshold, above: 5}}]\nstore: {{path: {store}}}\n", "")
    assert new.answer("/")[0] == 503
    open_for_writing(new.database).close()
    assert sentence(new) == "nothing needs you; nothing is read yet."
    page = new.page("/")
    assert (page.charts, "Nothing is open." in page.said) == (0, True)


def test_names_that_are_markup_are_text(odd: Office) -> None:
    status, text = odd.answer("/")
    assert status == 200
    assert "<script" not in text
    assert "<i>" not in text
    odd.page("/")


def test_nobody_is_named_where_that_is_asked_for(well: Office, odd: Office) -> None:
    for each in (well, odd):
        assert "@" in each.answer("/")[1]
        assert not re.search("@|%40|example|d&#x27;", veiled(each).answer("/")[1])
