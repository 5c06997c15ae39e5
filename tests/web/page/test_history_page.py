from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.cli.office import NOW
from tests.cli.stored import OPUS, SONNET, days, hours, store, usual
from tests.web.page.office import EVIL, ODD, RULES, SHELL, Office, veiled, written
from usage_watch.store.database import open_for_writing
from usage_watch.web.page.room import key_of

SINCE = NOW.replace(hour=0, minute=0) - timedelta(days=100)
LATELY = SINCE + timedelta(days=91)


@pytest.fixture
def empty(tmp_path: Path) -> Office:
    office = written(tmp_path, RULES, "http://localhost:1/")
    open_for_writing(office.database).close()
    return office


@pytest.fixture
def filled(empty: Office) -> Office:
    """Hours of credits and connectors, and days of queries."""
    over, by_day = hours(SINCE, NOW), days(SINCE, NOW)
    store(empty.database, NOW, over, {OPUS: np.full(len(over), 300), SONNET: np.full(len(over), 100)})
    store(empty.database, NOW, over, {"Jira": np.full(len(over), 2)}, dataset="connectors", axis="Connector")
    store(empty.database, NOW, by_day, {"Search": np.full(len(by_day), 60)}, dataset="query_volume", axis="Feature")
    return empty


def test_before_anything_is_stored_that_is_said(empty: Office) -> None:
    page = empty.page("/history")
    assert "History Nothing is stored yet. How fresh it is feed usage until" in page.said
    assert "credit_usage 1h nothing yet nothing yet never new" in page.said
    assert page.charts == 0


def test_where_nothing_is_watched_nothing_is_asked_for(empty: Office) -> None:
    text = empty.rules.read_text()
    empty.rules.write_text(text[: text.index("rules:")])
    assert "Nothing is asked for: no rule is enabled." in empty.page("/history").said


def test_the_hours_of_the_week_are_drawn_with_what_made_them(filled: Office) -> None:
    page = filled.page("/history")
    assert [words for _, words in page.headings] == [
        "History of credit_usage",
        "Hours by weekday: credits an hour",
        "By Model",
        "How fresh it is",
    ]
    assert page.charts == 2
    assert "The mean of each hour, Sun 25 Oct 15:00 – Sun 22 Nov 03:00 (times in Europe/Berlin)." in page.said
    assert f"Model credits of all {OPUS} 201,600 75 % {SONNET} 67,200 25 %" in page.said


def test_the_datasets_and_the_time_are_chosen_by_links(filled: Office) -> None:
    page = filled.page("/history", "dataset=connectors&since=90d")
    assert page.headings[0] == ("h1", "History of connectors")
    chosen = ["history", "history?dataset=connectors&since=90d", "history?dataset=connectors&since=90d"]
    assert page.current == chosen
    assert "history?dataset=credit_usage&since=90d" in page.links
    assert "history?dataset=connectors&since=28d" in page.links
    assert "Jira 4," in page.said


def test_one_dataset_alone_is_no_choice(office: Office) -> None:
    page = office.page("/history")
    assert "Datasets" not in page.text
    assert page.current == ["history", "history?dataset=credit_usage&since=28d"]


def test_of_what_is_read_by_days_only_days_are_shown(filled: Office) -> None:
    page = filled.page("/history", "dataset=query_volume")
    assert [words for _, words in page.headings][:3] == [
        "History of query_volume",
        "Days: queries a day",
        "Weekdays: queries a day",
    ]
    assert page.charts == 4
    assert "It is read by days only, which are the source's UTC days." in page.said
    assert "The mean of each weekday, Sun 25 Oct – Fri 20 Nov." in page.said
    assert "Search 1,680 100 %" in page.said
    assert "Mon: 60 queries a day" in page.text


def test_one_category_is_shown_alone_by_its_key(filled: Office) -> None:
    key = key_of({"Model": SONNET})
    link = f"history?dataset=credit_usage&since=28d&of={key}"
    assert link in filled.page("/history").links
    page = filled.page("/history", link.partition("?")[2])
    assert page.headings[0] == ("h1", f"History of credit_usage: {SONNET}")
    assert "Only of this Model. All of credit_usage" in page.said
    assert page.current == ["history", "history?dataset=credit_usage&since=28d", link, link]
    assert "00:00 to 01:00: 100 credits an hour" in page.text
    assert "history?dataset=connectors&since=28d" in page.links, "another dataset has no such category"


def test_a_category_that_was_used_only_before_is_shown_without_use(filled: Office) -> None:
    late, of = replace(filled, now=NOW + timedelta(days=60)), f"of={key_of({'Model': SONNET})}"
    page = late.page("/history", f"since=90d&{of}")
    [shorter] = [each for each in page.links if "since=28d" in each and of in each]
    assert late.page("/history", shorter.partition("?")[2]).headings[0] == ("h1", f"History of credit_usage: {SONNET}")


@pytest.fixture
def peopled(filled: Office) -> Office:
    """The same, and the days of members."""
    by_day = days(SINCE, NOW)
    used = {ODD: np.full(len(by_day), 300), "bo@example.com": np.full(len(by_day), 90), "cy@example.com": by_day * 0}
    store(filled.database, NOW, by_day, used, members=True)
    return filled


def test_members_are_listed_by_their_days_where_these_are_stored(peopled: Office) -> None:
    page = peopled.page("/history")
    assert [words for _, words in page.headings][2:4] == ["By Model", "By member"]
    note = "By the source's UTC days; all is what members used on them."
    assert f"By member {note} member credits of all {ODD} 8,400 77 % bo@example.com 2,520 23 % How" in page.said
    assert "By member" not in peopled.page("/history", "dataset=connectors").said


def test_a_members_own_days_are_shown_by_the_key(peopled: Office) -> None:
    link = f"history?dataset=credit_usage&since=90d&of={key_of({'member': 'bo@example.com'})}"
    assert link in peopled.page("/history", "since=90d").links
    page = peopled.page("/history", link.partition("?")[2])
    assert [words for _, words in page.headings][:5] == [
        "History of credit_usage: bo@example.com",
        "Days: credits a day",
        "Weekdays: credits a day",
        "By Model",
        "By member",
    ]
    assert "Only of this member. All of credit_usage" in page.said
    assert "Members are read by days only, which are the source's UTC days." in page.said
    assert "Mon: 90 credits a day" in page.text
    assert "390" not in page.text, "and of nobody else"
    assert page.current == ["history", "history?dataset=credit_usage&since=90d", link, link]


@pytest.mark.parametrize("how", ["initials", "hidden"])
def test_who_a_veiled_member_is_cannot_be_found_out_by_a_key(peopled: Office, how: str) -> None:
    """Who knows an address can make its key, and would see whose days these are."""
    office, key = veiled(peopled, how), key_of({"member": "bo@example.com"})
    page = office.page("/history")
    assert f"{'B.' if how == 'initials' else 'a member'} 2,520 23 %" in page.said
    assert key not in page.text
    for trace in ("@", "%40", "d&#x27;arc", "jean"):
        assert trace not in page.text
    unknown = office.sorry("/history", "of=0123456789ab")
    assert office.sorry("/history", f"of={key}") == unknown, "as if there were nobody of that name"


@pytest.mark.parametrize("how", ["initials", "hidden"])
def test_the_days_of_a_veiled_member_are_a_link_away(peopled: Office, how: str) -> None:
    office = veiled(peopled, how)
    known = peopled.page("/history", "since=90d").links
    own = [each for each in office.page("/history", "since=90d").links if "&of=" in each and each not in known]
    assert own
    for link in own:
        assert "@" not in office.page("/history", link.partition("?")[2]).text


def test_of_many_members_the_largest_are_listed(empty: Office) -> None:
    over, by_day = hours(LATELY, NOW), days(LATELY, NOW)
    store(empty.database, NOW, over, {OPUS: np.full(len(over), 9)})
    store(
        empty.database, NOW, by_day, {f"m{n:02}@example.com": np.full(len(by_day), n) for n in range(30)}, members=True
    )
    said = empty.page("/history").said.partition("By member")[2]
    assert "m29@example.com " in said
    assert "m10@example.com " in said
    assert "m09@" not in said
    assert "And 9 more." in said
    smallest = empty.page("/history", f"of={key_of({'member': 'm01@example.com'})}")
    assert smallest.headings[0][1] == "History of credit_usage: m01@example.com"


def test_a_member_who_used_it_only_before_is_shown_without_use(peopled: Office) -> None:
    later = replace(peopled, now=NOW + timedelta(days=60))
    page = later.page("/history", f"since=90d&of={key_of({'member': 'bo@example.com'})}")
    [shorter] = [each for each in page.links if "since=28d" in each and "of=" in each and each not in page.current]
    assert later.page("/history", shorter.partition("?")[2]).headings[0][1].endswith(": bo@example.com")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("dataset=<b>x", "Nothing is stored of '<b>x'; there is credit_usage, query_volume, connectors."),
        ("since=1y", "There is no history since '1y'; it is for 28d or 90d."),
        ("of=<b>", "credit_usage has no such category."),
        (f"dataset=connectors&of={key_of({'Model': SONNET})}", "connectors has no such category"),
    ],
)
def test_what_is_not_there_is_no_page(filled: Office, query: str, why: str) -> None:
    assert why in filled.sorry("/history", query)


def test_of_many_categories_the_largest_are_listed(empty: Office) -> None:
    over = hours(LATELY, NOW)
    store(empty.database, NOW, over, {f"m{each:02}": np.full(len(over), each) for each in range(30)})
    said = empty.page("/history").said
    assert "m29 " in said
    assert "m10 " in said
    assert "m09 " not in said
    assert "And 9 more." in said, "and nothing of m00, which nobody used"


def test_axes_that_overlap_say_so(empty: Office) -> None:
    by_day = days(SINCE, NOW)
    counts = np.full(len(by_day), 60)
    store(empty.database, NOW, by_day, {"A": counts, "B": counts}, dataset="query_volume", axis="Project")
    assert "By Project These overlap, and do not add up to the whole." in empty.page("/history").said


def test_what_is_not_settled_is_not_drawn(empty: Office) -> None:
    over = hours(NOW.replace(minute=0) - timedelta(hours=2), NOW)
    store(empty.database, NOW - timedelta(hours=1), over, {OPUS: usual(over, 300, 1)})
    page = empty.page("/history")
    assert page.charts == 0
    assert "None of it is settled yet: when it is used is shown once it is." in page.said


def test_how_fresh_each_feed_is_and_what_is_wrong(office: Office) -> None:
    said = office.page("/history").said
    assert "After 3 failed attempts" in said
    assert "feed usage until settled until asked state credit_usage 1h 14:00 Sat 21 Nov 03:00 18:05 failing" in said
    assert "credit_usage 1d each-member Sat 21 Nov Fri 20 Nov 18:05 failing" in said


def test_a_count_that_is_final_sooner_than_the_zeros_around_it_makes_no_hour_look_busy(office: Office) -> None:
    page = office.page("/history")
    assert "The mean of each hour, Sat 14 Nov 00:00 – Sat 21 Nov 03:00" in page.said
    assert "Sat 15:00 to 16:00: 0 credits an hour" in page.text


def test_whatever_a_category_is_called_it_stays_text(odd: Office) -> None:
    page = odd.page("/history")
    for name in (EVIL.replace("\u202e", ""), SHELL):
        assert f"{name} " in page.said
    page = odd.page("/history", f"of={key_of({'Model': EVIL})}")
    assert page.headings[0][1] == f"History of credit_usage: {EVIL}".replace("\u202e", "")
    assert "\u202e" not in page.text


def test_members_are_veiled(empty: Office) -> None:
    over = hours(LATELY, NOW)
    store(empty.database, NOW, over, {f"of {ODD}": np.full(len(over), 5)}, axis=f"by {ODD}")
    text = empty.rules.read_text()
    empty.rules.write_text(f"{text}  - {{id: hers, kind: threshold, where: {{member: ana@example.com}}, above: 5}}\n")
    pages = [("/history", ""), ("/history", f"of={key_of({f'by {ODD}': f'of {ODD}'})}")]
    assert all("d&#x27;arc" in empty.answer(*each)[1] for each in pages)
    hidden = veiled(empty)
    [to] = {each for each in hidden.page("/history").links if "&of=" in each}
    for each in ("/history", ""), ("/history", to.partition("?")[2]):
        text = hidden.answer(*each)[1]
        assert "of D.A.J." in text
        assert "credit_usage 1h A." in text
        for trace in ("@", "%40", "d&#x27;arc", "jean"):
            assert trace not in text
