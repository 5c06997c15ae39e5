from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import at, evidence
from usage_watch.core.compose import Form, as_told, compose, notice, restated, unfilled
from usage_watch.core.incident import Incident
from usage_watch.core.message import Conversation, Reason, RuleName, Severity
from usage_watch.core.money import Price
from usage_watch.core.privacy import Members
from usage_watch.core.promise import Notification, Post, Target, Told
from usage_watch.core.template import Style

BERLIN = ZoneInfo("Europe/Berlin")
FORM = Form({"people": Target(people=True), "machine": Target(people=False)}, BERLIN)
FRESH = {"credits": at(5)}


def incident(name: str, rule: str = "credits", **changes: object) -> Incident:
    """An open one, of the series of that name."""
    made = Incident(
        id=f"inc_{name}",
        fingerprint=name,
        rule=RuleName(rule, "threshold", f"Rule {rule}"),
        labels={"Model": name},
        part=None,
        period_at=None,
        started_at=at(3),
        ended_at=None,
        rank=1,
        severity=Severity.WARNING,
        evidence=evidence(),
        sequence=1,
        history=False,
        closed=None,
        committed_at=at(4),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


A, B, C = incident("a"), incident("b"), incident("c")
OTHER = incident("other", "else")
ALL = (A, B, C, OTHER)


def key(about: Incident, target: str = "people", reason: Reason = Reason.FIRED, ordinal: int = 1) -> Notification:
    return Notification(about.id, target, reason, ordinal, about.rank)


def composed(
    *keys: Notification,
    told: tuple[Told, ...] = (),
    incidents: tuple[Incident, ...] = ALL,
    form: Form = FORM,
    fresh: Mapping[str, object] = FRESH,
) -> list[Post]:
    by_id = {each.id: each for each in incidents}
    return compose(keys, by_id, told, fresh, form, at(6))  # type: ignore[arg-type]


def kept(*posts: Post, counts: bool = True) -> tuple[Told, ...]:
    """The notifications of posts, as the log has them."""
    return tuple(Told(each, post.conversation, at(6), post.id, counts) for post in posts for each in post.keys)


def about(posts: list[Post]) -> list[tuple[str, list[str]]]:
    """To whom, and about what, each post is."""
    return [(post.target, [each.incident_id for each in post.keys]) for post in posts]


# ---- who is told what together --------------------------------------------------------------------------------------


def test_nothing_to_tell_is_no_post() -> None:
    assert composed() == []


def test_people_get_one_message_for_each_rule() -> None:
    posts = composed(key(A), key(OTHER), key(B))
    assert about(posts) == [("people", ["inc_a", "inc_b"]), ("people", ["inc_other"])]
    assert [each.incident_id for each in posts[0].message.news] == ["inc_a", "inc_b"]


def test_machines_get_one_message_for_each_incident() -> None:
    posts = composed(key(A, "machine"), key(B, "machine"))
    assert about(posts) == [("machine", ["inc_a"]), ("machine", ["inc_b"])]
    assert len({post.conversation.id for post in posts}) == 2


def test_each_target_has_posts_and_conversations_of_its_own() -> None:
    posts = composed(key(A), key(A, "machine"), key(B), key(B, "machine"))
    assert about(posts) == [("people", ["inc_a", "inc_b"]), ("machine", ["inc_a"]), ("machine", ["inc_b"])]
    assert len({post.conversation.id for post in posts}) == len({post.id for post in posts}) == 3


def test_a_target_of_which_nothing_is_known_any_more_is_taken_for_people() -> None:
    assert about(composed(key(A, "gone"), key(B, "gone"))) == [("gone", ["inc_a", "inc_b"])]


# ---- conversations --------------------------------------------------------------------------------------------------


def test_what_was_first_told_together_stays_together() -> None:
    (first,) = composed(key(A), key(B))
    (reply,) = composed(key(A, reason=Reason.RESOLVED), key(B, reason=Reason.ESCALATED), told=kept(first))
    assert reply.conversation == first.conversation
    assert about([reply]) == [("people", ["inc_a", "inc_b"])]
    assert [each.reason for each in reply.message.news] == [Reason.RESOLVED, Reason.ESCALATED]


def test_each_conversation_gets_a_reply_of_its_own_and_what_is_new_begins_another() -> None:
    (first,) = composed(key(A))
    (second,) = composed(key(B), told=kept(first))
    told = kept(first, second)
    posts = composed(key(A, reason=Reason.RESOLVED), key(B, reason=Reason.RESOLVED), key(C), told=told)
    assert about(posts) == [("people", ["inc_a"]), ("people", ["inc_b"]), ("people", ["inc_c"])]
    assert [post.conversation for post in posts[:2]] == [first.conversation, second.conversation]
    assert posts[2].conversation not in (first.conversation, second.conversation)


def test_a_machine_keeps_the_conversation_of_its_incident() -> None:
    first = composed(key(A, "machine"), key(B, "machine"))
    again = composed(key(B, "machine", Reason.RESOLVED), key(A, "machine", Reason.RESOLVED), told=kept(*first))
    assert [post.conversation for post in again] == [first[1].conversation, first[0].conversation]


def test_a_channel_that_became_a_machines_gets_one_incident_a_message_even_in_an_old_conversation() -> None:
    (first,) = composed(key(A), key(B))
    machine = Form({"people": Target(people=False)}, BERLIN)
    ends = (key(A, reason=Reason.RESOLVED), key(B, reason=Reason.RESOLVED))
    posts = composed(*ends, told=kept(first), form=machine)
    assert about(posts) == [("people", ["inc_a"]), ("people", ["inc_b"])]
    assert {post.conversation for post in posts} == {first.conversation}


def test_what_the_provider_calls_the_first_message_is_handed_on() -> None:
    (first,) = composed(key(A))
    sent = replace(first, conversation=replace(first.conversation, ref="C0/1.5"))
    (reply,) = composed(key(A, reason=Reason.RESOLVED), told=kept(sent))
    assert reply.conversation.ref == "C0/1.5"


def test_a_conversation_that_was_given_up_goes_on_where_it_was() -> None:
    (first,) = composed(key(A))
    (again,) = composed(key(A, ordinal=2), told=kept(first, counts=False))
    assert again.conversation == first.conversation
    assert again.id != first.id


def taken_back(*posts: Post) -> tuple[Told, ...]:
    return tuple(replace(each, counts=False, recalled=True) for each in kept(*posts))


def test_what_is_said_anew_stays_in_its_conversation_under_another_id() -> None:
    (first,) = composed(key(A), key(B))
    (again,) = composed(key(A, ordinal=2), key(B, reason=Reason.FIRED_AND_ENDED), told=taken_back(first))
    assert again.conversation == first.conversation
    assert again.id != first.id
    assert about([again]) == [("people", ["inc_a", "inc_b"])]


def test_what_is_first_told_with_what_is_said_anew_begins_a_conversation_of_its_own() -> None:
    (first,) = composed(key(A))
    again, new = composed(key(A, ordinal=2), key(B), told=taken_back(first))
    assert again.conversation == first.conversation
    assert new.conversation != first.conversation


# ---- the order of what is said --------------------------------------------------------------------------------------


def test_what_is_new_comes_before_what_is_repeated_and_that_before_what_is_corrected() -> None:
    (first,) = composed(key(A), key(B), key(C))
    ends = replace(C, ended_at=at(5))
    corrected, reminded, over = (
        key(A, reason=Reason.UPDATED),
        key(B, reason=Reason.REMINDER),
        key(ends, reason=Reason.RESOLVED),
    )
    for keys in permutations([corrected, reminded, over]):
        (post,) = composed(*keys, told=kept(first), incidents=(A, B, ends))
        assert post.keys == (over, reminded, corrected)
        assert [each.reason for each in post.message.news] == [Reason.RESOLVED, Reason.REMINDER, Reason.UPDATED]
        assert [each.incident_id for each in post.message.standing] == ["inc_a", "inc_b", "inc_c"]


@pytest.mark.parametrize("reason", [each for each in Reason if each not in (Reason.UPDATED, Reason.REMINDER)])
def test_news_stay_in_the_order_in_which_they_were_planned(reason: Reason) -> None:
    (first,) = composed(key(A), key(B))
    (post,) = composed(key(B, reason=reason), key(A, reason=Reason.ESCALATED), told=kept(first))
    assert about([post]) == [("people", ["inc_b", "inc_a"])]


# ---- standing -------------------------------------------------------------------------------------------------------


def test_a_message_says_how_every_incident_of_its_conversation_stands() -> None:
    (first,) = composed(key(A), key(B), key(C))
    now = (
        replace(A, ended_at=at(5)),
        replace(B, ended_at=at(5), closed="Its rule was changed."),
        replace(C, rank=2, severity=Severity.CRITICAL),
    )
    (reply,) = composed(key(now[2], reason=Reason.ESCALATED), told=kept(first), incidents=now)
    assert [(each.incident_id, each.reason, each.note) for each in reply.message.standing] == [
        ("inc_a", Reason.RESOLVED, None),
        ("inc_b", Reason.CLOSED, "Its rule was changed."),
        ("inc_c", Reason.FIRED, None),
    ]
    assert [each.incident_id for each in reply.message.news] == ["inc_c"]


def test_what_was_taken_back_stands_as_that_and_what_looks_over_says_so() -> None:
    (first,) = composed(key(A), key(B))
    now = (
        replace(A, ended_at=at(5), closed="The source revised it.", retracted=True),
        replace(B, looks_over=True),
    )
    (reply,) = composed(key(now[0], reason=Reason.RETRACTED), told=kept(first), incidents=now)
    assert [(each.reason, each.note, each.looks_over) for each in reply.message.standing] == [
        (Reason.RETRACTED, "The source revised it.", False),
        (Reason.FIRED, None, True),
    ]


def test_an_incident_that_was_told_many_times_stands_once() -> None:
    (first,) = composed(key(A))
    (second,) = composed(key(A, reason=Reason.ESCALATED), told=kept(first))
    (third,) = composed(key(A, reason=Reason.RESOLVED), told=kept(first, second))
    assert [each.incident_id for each in third.message.standing] == ["inc_a"]


def test_what_was_taken_back_before_it_was_heard_of_does_not_stand() -> None:
    """Nobody was told of B: it had closed before that was sent."""
    (first,) = composed(key(A), key(B))
    gone = replace(B, ended_at=at(5), closed="Its rule was changed.")
    (again,) = composed(key(A, ordinal=2), told=taken_back(first), incidents=(A, gone))
    assert [each.incident_id for each in again.message.standing] == ["inc_a"]


def test_what_was_told_before_something_was_taken_back_stands_all_the_same() -> None:
    (first,) = composed(key(A), key(B))
    (second,) = composed(key(B, reason=Reason.ESCALATED), told=kept(first))
    (reply,) = composed(key(A, reason=Reason.RESOLVED), told=(*kept(first), *taken_back(second)))
    assert [each.incident_id for each in reply.message.standing] == ["inc_a", "inc_b"]


def test_what_was_given_up_stands_all_the_same() -> None:
    (first,) = composed(key(A), key(B))
    (reply,) = composed(key(A, reason=Reason.RESOLVED), told=kept(first, counts=False))
    assert [each.incident_id for each in reply.message.standing] == ["inc_a", "inc_b"]


def test_an_incident_too_old_to_be_known_does_not_stand_any_more() -> None:
    (first,) = composed(key(A), key(B))
    (reply,) = composed(key(B, reason=Reason.RESOLVED), told=kept(first), incidents=(B,))
    assert [each.incident_id for each in reply.message.standing] == ["inc_b"]


def test_what_another_target_was_told_does_not_stand_here() -> None:
    told = kept(*composed(key(A, "others"), key(B, "others")))
    (post,) = composed(key(A), told=told)
    assert [each.incident_id for each in post.message.standing] == ["inc_a"]


# ---- what it says ---------------------------------------------------------------------------------------------------


def test_a_notice_says_all_there_is_to_say() -> None:
    ended = incident("a", part="levels", period_at=at(0), ended_at=at(5), closed="The period is over.", sequence=7)
    said = notice(ended, Reason.CLOSED)
    assert (said.reason, said.note, said.sequence) == (Reason.CLOSED, "The period is over.", 7)
    carried = ("severity", "rule", "labels", "part", "period_at", "started_at", "ended_at", "evidence", "looks_over")
    for name in carried:
        assert getattr(said, name) == getattr(ended, name)


def test_a_message_knows_when_it_was_decided_in_which_zone_and_on_how_fresh_data() -> None:
    first, other = (post.message for post in composed(key(A), key(OTHER)))
    assert (first.decided_at, first.zone, first.data_until) == (at(6), "Europe/Berlin", at(5))
    assert other.data_until is None


def test_a_subject_names_rule_series_and_start_and_never_changes() -> None:
    (alone,) = composed(key(A))
    assert alone.conversation.subject == "usage-watch: Rule credits, a, 2 Nov 04:00"
    moved = (replace(A, started_at=at(1), rule=RuleName("credits", "threshold", "Renamed")),)
    (reply,) = composed(key(A, reason=Reason.RESOLVED), told=kept(alone), incidents=moved)
    assert reply.conversation.subject == alone.conversation.subject


def test_a_subject_counts_several_and_leaves_out_what_a_total_has_not() -> None:
    (several,) = composed(key(A), key(B))
    assert several.conversation.subject == "usage-watch: Rule credits, 2 alerts, 2 Nov 04:00"
    total = replace(A, labels={})
    (one,) = composed(key(total), incidents=(total,))
    assert one.conversation.subject == "usage-watch: Rule credits, 2 Nov 04:00"


WORDED = Form({"people": Target(people=True)}, BERLIN, {"credits": Style("Ask $series", 7)})


def called(one: Incident, title: str) -> Incident:
    return replace(one, rule=replace(one.rule, title=title))


def test_a_message_is_in_the_words_of_its_rule_and_another_rules_is_not() -> None:
    first = called(A, "Credits of $series")
    post, other = composed(key(first), key(OTHER), incidents=(first, OTHER), form=WORDED)
    assert (post.message.news[0].rule.title, post.message.news[0].text, post.message.named) == (
        *("Credits of a", "Ask a"),
        7,
    )
    assert post.conversation.subject == "usage-watch: Credits of a, 2 Nov 04:00"
    assert (other.message.news[0].text, other.message.named) == (None, 20)


@pytest.mark.parametrize(
    ("title", "said"), [("Credits of $series, since $since", "Credits of a, since Mon 2 Nov 04:00"), ("$5", "credits")]
)
def test_a_title_is_filled_for_those_who_list_incidents_too(title: str, said: str) -> None:
    told = as_told(called(A, title), FORM, at(99))
    assert told == called(A, said), "and all else is as it was"


CREDITS = replace(evidence(), unit="credits", value=300.0, limit=250.0, summary="300 credits in 1 h, over 250")


def test_amounts_are_said_and_not_remembered() -> None:
    found = replace(A, evidence=CREDITS)
    form = replace(WORDED, price=Price(10, "USD"), styles={"credits": Style("$amount")})
    (post,) = composed(key(found), incidents=(found,), form=form)
    (plain,) = composed(key(found), incidents=(found,), form=WORDED)
    assert (post.id, post.conversation.id, post.keys) == (plain.id, plain.conversation.id, plain.keys)
    assert post.message.news[0].evidence.summary == "300 credits (3 USD) in 1 h, over 250"
    assert post.message.news[0].text == "3 USD"
    told = as_told(found, form, at(6))
    assert (told.evidence, told.face) == (post.message.news[0].evidence, found.face)


# ---- words that cannot be filled -------------------------------------------------------------------------------------

OVER, LONG_OVER = (replace(A, id=f"inc_{hours}", ended_at=at(hours)) for hours in (5, 4))


def why_not(title: str, text: str | None, *incidents: Incident) -> str | None:
    form = replace(WORDED, styles={"credits": Style(text)})
    return unfilled(RuleName("credits", "threshold", title), incidents, form, at(6))


@pytest.mark.parametrize(
    ("title", "text", "why"),
    [
        ("Credits", None, None),
        ("Credits of $series", "$value", None),
        ("$nothing", "$value", "KeyError: 'nothing'"),
        ("Credits", "$nothing", "KeyError: 'nothing'"),
        ("Credits", "$5", "ValueError: Invalid placeholder in string: line 1, col 1"),
    ],
)
@pytest.mark.parametrize("incidents", [(A, B), (OVER,), (LONG_OVER, OVER)])
def test_words_are_tried_on_what_is_open_or_was_last(
    title: str, text: str | None, why: str | None, incidents: tuple[Incident, ...]
) -> None:
    assert why_not(title, text, *incidents) == why


def test_of_a_rule_that_found_nothing_yet_nothing_can_be_tried() -> None:
    assert why_not("$nothing", None) is None


def test_what_an_incident_was_called_before_the_file_was_corrected_does_not_count() -> None:
    assert why_not("Credits of $series", None, called(A, "$nothing")) is None


def test_a_subject_about_several_has_no_title_that_is_of_one() -> None:
    both = (called(A, "Credits of $series"), called(B, "Credits of $series"))
    (post,) = composed(*(key(each) for each in both), incidents=both, form=WORDED)
    assert post.conversation.subject == "usage-watch: credits, 2 alerts, 2 Nov 04:00"


def test_what_cannot_be_filled_is_said_once_for_each_rule_and_the_built_in_is_sent() -> None:
    heard: list[tuple[str, str]] = []
    form = replace(
        WORDED, styles={"credits": Style("$no")}, flawed=lambda rule, error: heard.append((rule, str(error)))
    )
    broken = called(B, "$5")
    posts = composed(key(A), key(broken), key(A, "machine"), key(OTHER), incidents=(A, broken, OTHER), form=form)
    assert [(each.rule.title, each.text) for each in posts[0].message.news] == [
        ("Rule credits", None),
        ("credits", None),
    ]
    assert heard == [("credits", "'no'")]
    assert composed(key(broken), incidents=(broken,))[0].message.news[0].rule.title == "credits", "nobody need listen"


@pytest.mark.parametrize(("members", "said"), [(Members.FULL, "ana@x.org"), (Members.INITIALS, "A.")])
def test_a_channel_names_members_as_it_says_in_messages_and_subjects(members: Members, said: str) -> None:
    of_ana = replace(A, labels={"member": "ana@x.org"})
    form = Form({"people": Target(people=True, members=members)}, BERLIN)
    (post,) = composed(key(of_ana), incidents=(of_ana,), form=form)
    assert post.message.news[0].labels == post.message.standing[0].labels == {"member": said}
    assert post.conversation.subject == f"usage-watch: Rule credits, {said}, 2 Nov 04:00"


# ---- ids ------------------------------------------------------------------------------------------------------------


def test_ids_are_the_same_on_every_machine() -> None:
    (post,) = composed(key(A))
    assert (post.id, post.conversation) == (
        "ntf_39355dd8613b766a5082",
        Conversation("cnv_39355dd8613b766a5082", "usage-watch: Rule credits, a, 2 Nov 04:00", None),
    )


KEYS = st.builds(
    key, st.sampled_from(ALL), st.sampled_from(["people", "machine"]), st.sampled_from(Reason), st.integers(1, 3)
)


@given(st.lists(KEYS, max_size=8, unique=True))
def test_every_notification_is_in_exactly_one_post_of_its_target_and_no_two_posts_share_an_id(
    keys: list[Notification],
) -> None:
    posts = composed(*keys)
    assert sorted(map(repr, (each for post in posts for each in post.keys))) == sorted(map(repr, keys))
    assert all(each.target == post.target for post in posts for each in post.keys)
    assert len({post.id for post in posts}) == len(posts)
    assert composed(*keys) == posts
    for post in posts:
        assert [each.incident_id for each in post.message.news] == [each.incident_id for each in post.keys]
        assert {each.incident_id for each in post.keys} <= {each.incident_id for each in post.message.standing}
        assert post.target == "people" or len({each.incident_id for each in post.keys}) == 1


# ---- what stands, told again -----------------------------------------------------------------------------------------


def test_what_is_told_again_is_worded_as_it_was_told() -> None:
    style = Style("Ask $series", 7)
    form = replace(WORDED, targets={"cluster": Target(False, by_state=True)}, styles={"credits": style, "else": style})
    found = [replace(each, labels={"member": f"{each.fingerprint}@example.com"}) for each in (A, OTHER)]
    for members in Members:
        form = replace(form, targets={"cluster": Target(False, members=members, by_state=True)})
        posts = compose(
            [key(each, "cluster") for each in found], {each.id: each for each in found}, (), {}, form, at(6)
        )
        again = restated(found, "cluster", form, at(9))
        assert again is not None
        assert again.news == tuple(news for post in posts for news in post.message.news)
        assert (again.decided_at, again.zone, again.standing) == (at(9), "Europe/Berlin", ())


def test_every_message_knows_where_the_page_is() -> None:
    form = replace(FORM, page="https://usage.example.com")
    (post,) = compose([key(A, "people")], {A.id: A}, (), {}, form, at(6))
    again = restated([A], "people", form, at(9))
    assert again is not None
    assert again.page == post.message.page == "https://usage.example.com"


def test_what_does_not_stand_is_no_message() -> None:
    assert restated([], "cluster", FORM, at(9)) is None


def test_words_that_cannot_be_filled_are_not_complained_of_each_time() -> None:
    flaws: list[str] = []
    form = replace(FORM, styles={"credits": Style("$nothing")}, flawed=lambda rule, _: flaws.append(rule))
    assert restated([A], "nobody", form, at(9)) is not None
    assert flaws == []
