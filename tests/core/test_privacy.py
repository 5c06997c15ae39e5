from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.samples import member_day, message, notice
from usage_watch.core.message import Contributor, Fact, RuleName
from usage_watch.core.privacy import Members, veil, veiled

NAMED = [
    ("ana.reyes@example.com", "A.R.", "a member"),
    ("ana.reyes@example.com: 21,400 credits", "A.R.: 21,400 credits", "a member: 21,400 credits"),
    ("Ask ana_reyes-smith.x@mail.example.com.", "Ask A.R.S.", "Ask a member."),
    ("(ana@example.com, ben@example.com)", "(A., B.)", "(a member, a member)"),
    ("o'brien+work@example.com", "O.B.", "a member"),
    ('"ana reyes"@example.com', "A.R.", "a member"),
    ("ana@localhost", "A.", "a member"),
    ("ana@[10.0.0.1]", "A.[10.0.0.1]", "a member[10.0.0.1]"),
    ("ánna.ünal@exämple.com", "Á.Ü.", "a member"),
    ("-@example.com", "a member", "a member"),
    ("ana@b@example.com", "A.B.", "a member"),
    ("@here, 5 @ noon", "@here, 5 @ noon", "@here, 5 @ noon"),
    ("12,345 credits in 3 h", "12,345 credits in 3 h", "12,345 credits in 3 h"),
]


@pytest.mark.parametrize(("text", "initials", "hidden"), NAMED)
def test_whatever_looks_like_an_address_is_a_member(text: str, initials: str, hidden: str) -> None:
    assert veil(Members.FULL)(text) == text
    assert veil(Members.INITIALS)(text) == initials
    assert veil(Members.HIDDEN)(text) == hidden


@given(st.emails(), st.text(max_size=20), st.text(max_size=20))
def test_no_address_is_left_whatever_stands_around_it(address: str, before: str, after: str) -> None:
    shown = veil(Members.HIDDEN)(f"{before} {address} {after}")
    assert address not in shown


@pytest.mark.parametrize("text", ["a" * 100_000 + "@", "@" + "a" * 100_000, "a@" * 50_000, '"' * 100_000 + "@"])
def test_long_texts_are_read_once(text: str) -> None:
    assert len(veil(Members.HIDDEN)(text)) <= len(text) + 10


ANA = "ana.reyes@example.com"


def test_a_message_is_veiled_in_each_of_its_texts_and_nothing_else() -> None:
    plain = member_day(ANA, 21_400)
    evidence = replace(
        plain.evidence,
        summary=f"{ANA} again",
        facts=(Fact(ANA, ANA),),
        why=f"+9,000 credits: 71 % {ANA}, 12 % {ANA} and 2 more",
        contributors=(Contributor(ANA, ANA, 1.0, 1.0),),
        after=ANA,
    )
    rule = RuleName("member-day", "threshold", f"Of {ANA}", "https://wiki.example.com/credits")
    one = replace(plain, evidence=evidence, rule=rule, labels={ANA: ANA}, note=ANA, text=ANA, incident_id="inc_1")
    whole = message(one)
    shown = veiled(whole, Members.INITIALS)
    assert "reyes" not in repr(shown)
    assert repr(shown) == repr(whole).replace(ANA, "A.R.")
    assert veiled(whole, Members.FULL) is whole


def test_a_link_that_names_a_member_is_left_out() -> None:
    of_her = replace(notice().rule, runbook=f"https://wiki.example.com/{ANA}")
    assert veiled(message(notice(rule=of_her)), Members.HIDDEN).news[0].rule.runbook is None


def test_a_page_whose_address_names_a_member_is_not_linked_to() -> None:
    of_her = message(page=f"https://example.com/{ANA}/usage")
    assert veiled(of_her, Members.HIDDEN).page is None
    assert veiled(replace(of_her, page="https://example.com/usage"), Members.HIDDEN).page == "https://example.com/usage"
