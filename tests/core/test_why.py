from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.channels.samples import message, notice
from tests.core.builders import DAILY, HOURLY, MEMBER_DAYS, at, evidence, feed_history
from usage_watch.core.privacy import Members, veil, veiled
from usage_watch.core.selection import MEMBER, Choice, Selection
from usage_watch.core.series import FeedHistory
from usage_watch.core.why import UNATTRIBUTED, Why, explain

EVEN = (95, 105, 100, 100)
"""What a steady series holds in each of four weeks."""
TEAM = {f"m{i}@example.com": 1000 for i in range(9)}


def days(before: dict[str, int], now: dict[str, int], *, earlier: dict[str, int] | None = None) -> dict[str, list[int]]:
    """A week, four weeks that hold about `before` each day, and one day."""
    return {
        name: [(earlier or {}).get(name, before.get(name, 0))] * 7
        + [before.get(name, 0) * EVEN[i // 7] // 100 for i in range(28)]
        + [now.get(name, 0)]
        for name in {**before, **now}
    }


def member_days(before: dict[str, int], now: dict[str, int], **rest: dict[str, int]) -> tuple[FeedHistory, FeedHistory]:
    """The total of all, and each member's."""
    members = days(before, now, **rest)
    sums = [sum(column) for column in zip(*members.values(), strict=True)]
    return feed_history({"": sums}, DAILY), feed_history(members, MEMBER_DAYS)


def of_members(before: dict[str, int], now: dict[str, int], *, rising: bool = True, **rest: dict[str, int]) -> Why:
    everyone, members = member_days(before, now, **rest)
    return explained(everyone, members, rising=rising)


def of_models(before: dict[str, int], now: dict[str, int], *, rising: bool = True, hours: float = 24) -> Why:
    sums = {"": sum(before.values())}, {"": sum(now.values())}
    counts = days(
        {f"Model={name}": count for name, count in before.items()} | sums[0],
        {f"Model={name}": count for name, count in now.items()} | sums[1],
    )
    return explained(feed_history(counts, DAILY), rising=rising)


def explained(history: FeedHistory, members: FeedHistory | None = None, *, rising: bool = True) -> Why:
    found = explain(history, at(24 * 35), at(24 * 36), unit="credits", rising=rising, members=members)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("now", "rising", "sentence"),
    [
        ({"m3@example.com": 6000}, True, "+5,000 credits against the usual (+56 %): 100 % m3@example.com"),
        (
            {"new@example.com": 5000},
            True,
            "+5,000 credits against the usual (+56 %): 100 % new@example.com (first day of this member)",
        ),
        (
            {"m1@example.com": 6000, "m2@example.com": 5900},
            True,
            "+9,900 credits against the usual (+110 %): 51 % m1@example.com, 49 % m2@example.com",
        ),
        (
            {name: 2000 + i for i, name in enumerate(TEAM)},
            True,
            "+9,036 credits against the usual (+100 %): broad-based, 9 of 9 members up",
        ),
        (
            {name: 500 + i for i, name in enumerate(TEAM)},
            False,
            "-4,464 credits against the usual (-50 %): broad-based, 9 of 9 members down",
        ),
        ({"m1@example.com": 1300}, True, "about as usual (+300 credits)"),
        ({}, True, "about as usual (0 credits)"),
        (dict.fromkeys(TEAM, 0) | {"m3@example.com": 0}, True, "-9,000 credits against the usual (-100 %)"),
        (
            dict.fromkeys(TEAM, 100) | {"m3@example.com": 5000},
            True,
            "-3,200 credits against the usual (-36 %), in spite of m3@example.com +4,000",
        ),
        (
            {"m3@example.com": 6000, "m4@example.com": 500},
            False,
            "+4,500 credits against the usual (+50 %), in spite of m4@example.com -500",
        ),
    ],
    ids=[
        "one",
        "a newcomer",
        "two",
        "everybody up",
        "everybody down",
        "hardly anything",
        "nothing",
        "the other way",
        "a rise that others hide",
        "a fall that a rise hides",
    ],
)
def test_one_sentence_says_what_changed_and_who_it_was(now: dict[str, int], rising: bool, sentence: str) -> None:
    assert of_members(TEAM, {**TEAM, **now}, rising=rising).sentence == sentence


def test_what_was_never_used_before_has_no_percentage() -> None:
    why = of_members({"m0@example.com": 0}, {"m0@example.com": 1, "m1@example.com": 0, "m2@example.com": 0})
    assert why.sentence == "+1 credit, none in the 4 weeks before: 100 % m0@example.com (first day of this member)"
    assert why.broad is None
    why = of_members({"m0@example.com": 0}, {"m0@example.com": 90, "m1@example.com": 8, "m2@example.com": 2})
    assert why.sentence == ("+100 credits, none in the 4 weeks before: 90 % m0@example.com (first day of this member)")


def test_who_was_away_for_four_weeks_is_not_called_new() -> None:
    why = of_members(TEAM, {**TEAM, "old@example.com": 7000}, earlier={**TEAM, "old@example.com": 10})
    assert why.sentence.endswith(": 100 % old@example.com (none in the 4 weeks before)")


MODELS = {"opus": 4000, "sonnet": 3000, "gpt": 2000, "sonar": 100}


def test_a_new_model_is_said_to_be_one() -> None:
    why = of_models(MODELS, {**MODELS, "opus-5": 6000})
    assert why.sentence == "+6,000 credits against the usual (+66 %): 100 % opus-5 (new model)"
    assert (why.axis, why.broad) == ("Model", None)


def test_a_member_who_is_new_over_several_days_is_no_first_day() -> None:
    members = {name: [count] * 30 for name, count in TEAM.items()} | {"new@example.com": [0] * 28 + [5000] * 2}
    sums = [sum(column) for column in zip(*members.values(), strict=True)]
    everyone, each = feed_history({"": sums}, DAILY), feed_history(members, MEMBER_DAYS)
    why = explain(everyone, at(24 * 28), at(24 * 30), unit="credits", rising=True, members=each)
    assert why is not None
    assert why.sentence.endswith("100 % new@example.com (new member)")


def test_a_model_that_stops_is_named() -> None:
    models = {f"model-{i}": 1000 for i in range(9)}
    why = of_models(models, {**models, "model-3": 0}, rising=False)
    assert why.sentence == "-1,000 credits against the usual (-11 %): 100 % model-3"
    assert why.contributors[0].change == -1000


def test_three_are_named_and_more_are_counted() -> None:
    team = {f"m{i:02}@example.com": 1000 for i in range(30)}
    why = of_members(team, {**team, **{name: 9000 - i for i, name in enumerate(list(team)[:8])}})
    assert why.sentence.endswith(": 13 % m00@example.com, 13 % m01@example.com, 13 % m02@example.com and 2 more")


def test_the_axis_on_which_the_few_are_most_surprising_is_chosen_and_comes_first() -> None:
    members = days(TEAM, {**TEAM, "m4@example.com": 7000})
    sums = [sum(column) for column in zip(*members.values(), strict=True)]
    models = {"Model=opus": 3000, "Model=gpt": 3000, "Model=sonar": 3000}
    counts = days(models, {**models, "Model=gpt": 8900}) | {"": sums}
    why = explained(feed_history(counts, DAILY), feed_history(members, MEMBER_DAYS))
    assert why.axis == MEMBER
    assert [(each.axis, each.category, each.change) for each in why.contributors] == [
        (MEMBER, "m4@example.com", 6000),
        ("Model", "gpt", 5900),
        ("Model", UNATTRIBUTED, 100),
    ]
    assert why.contributors[1].share == pytest.approx(5900 / 6000)
    assert [each.axis for each in why.table] == ["Model", MEMBER]


def test_of_two_sources_neither_is_a_reason() -> None:
    counts = days({"": 9000, "Credit Source=paid": 6000, "Credit Source=promo": 3000}, {"": 18000})
    counts["Credit Source=paid"][-1] = 18000
    why = explained(feed_history(counts, DAILY))
    assert why.sentence == "+9,000 credits against the usual (+100 %)"
    assert [each.category for each in why.contributors] == ["paid"]


@pytest.mark.parametrize(
    ("b", "said"), [(0, ": 97 % b (new model)"), (1000, ": 97 % b"), (5000, "")], ids=["new", "small", "most of it"]
)
def test_of_two_one_is_named_that_nearly_all_comes_from_and_that_was_not_most_of_it(b: int, said: str) -> None:
    counts = days({"": 4000 + b, "Model=a": 4000, "Model=b": b}, {"": 14_200 + b, "Model=a": 4300, "Model=b": b + 9900})
    assert explained(feed_history(counts, DAILY)).sentence.partition(")")[2] == said


@pytest.mark.parametrize(("axis", "words"), [("Skill", "skills"), ("Model Family", "model families")])
def test_an_axis_is_spoken_of_in_the_plural(axis: str, words: str) -> None:
    parts = [f"{axis}={name}" for name in "abc"]
    counts = days({"": 9000, **dict.fromkeys(parts, 3000)}, {"": 18000, **dict.fromkeys(parts, 6000)})
    assert explained(feed_history(counts, DAILY)).sentence.endswith(f"broad-based, 3 of 3 {words} up")


def test_where_most_did_not_move_so_it_is_not_called_broad_based() -> None:
    counts = days({"": 3000, "Model=a": 1000, "Model=b": 1000, "Model=c": 1000}, {"": 3152, "Model=a": 1152})
    counts["Model=b"][-1] = counts["Model=c"][-1] = 1000
    assert explained(feed_history(counts, DAILY)).sentence.endswith("none stands out, 1 of 3 models up")


def test_without_any_axis_there_is_the_change_alone() -> None:
    why = explained(feed_history(days({"": 100}, {"": 160}), DAILY))
    assert why == Why("+60 credits against the usual (+60 %)", None, (), None, ())


def test_without_a_usual_there_is_no_why() -> None:
    assert explain(feed_history({"": [5]}, DAILY), at(0), at(24), unit="credits", rising=True) is None


def test_an_axis_without_a_usual_is_left_out() -> None:
    history = feed_history(days({"": 100}, {"": 160}), DAILY)
    late = replace(history, axes={"Model": history.fetched & False})
    assert explained(late).table == ()


def test_one_members_rise_is_not_split_by_members() -> None:
    _, members = member_days(TEAM, {**TEAM, "m0@example.com": 7000})
    hers = Selection(member="m0@example.com")
    why = explain(members, at(24 * 35), at(24 * 36), unit="credits", rising=True, selection=hers, members=members)
    assert why is not None
    assert (why.sentence, why.table) == ("+6,000 credits against the usual (+600 %)", ())


def test_a_models_rise_is_split_by_members_and_not_by_the_sources_that_nobody_knows() -> None:
    members = days({f"{name} Model=opus": 1000 for name in TEAM}, {f"{name} Model=opus": 1000 for name in TEAM})
    members["m5@example.com Model=opus"][-1] = 9000
    members |= {name: [sum(column) for column in zip(members[f"{name} Model=opus"], strict=True)] for name in TEAM}
    opus = [sum(members[name][i] for name in TEAM) for i in range(36)]
    everyone = {"": opus, "Model=opus": opus, "Credit Source=paid": opus}
    why = explain(
        feed_history(everyone, DAILY),
        at(24 * 35),
        at(24 * 36),
        unit="credits",
        rising=True,
        selection=Selection(axis="model", choice=Choice(("opus",))),
        members=feed_history(members, MEMBER_DAYS),
    )
    assert why is not None
    assert why.sentence.endswith("(+89 %): 100 % m5@example.com")
    assert [each.axis for each in why.table] == [MEMBER]  # all of it is of the one model


def test_hours_are_compared_with_the_same_hours() -> None:
    shape = [10 if hour % 24 < 8 else 200 for hour in range(24 * 29)]
    models = {f"Model={name}": list(shape) for name in "abcd"}
    for hour in (-3, -2, -1):
        models["Model=c"][hour] += 900
    counts = models | {"": [sum(column) for column in zip(*models.values(), strict=True)]}
    why = explain(feed_history(counts, HOURLY), at(24 * 29 - 3), at(24 * 29), unit="credits", rising=True)
    assert why is not None
    assert why.sentence == "+2,700 credits against the usual (+112 %): 100 % c"


# What it does with names


def called(title: str) -> str:
    """The sentence about a new model of that name."""
    history = feed_history(
        days({"": 9100, **{f"Model={m}": c for m, c in MODELS.items()}}, {"": 18000, "Model=?": 8900}), DAILY
    )
    named = {replace(each, category=title) if each.category == "?" else each: c for each, c in history.counts.items()}
    return explained(replace(history, counts=named)).sentence


def test_a_long_title_is_cut_but_never_one_that_may_hold_an_address() -> None:
    assert called("long " * 30).endswith(f"% {('long ' * 12)[:59].rstrip()}… (new model)")
    asked = f"{'please ' * 9}ask ana.reyes@example.com{' now' * 9}"
    assert f"% {asked} (new model)" in called(asked)


@given(address=st.emails())
@settings(max_examples=30, deadline=None)
def test_no_members_name_is_left_where_members_may_not_be_named(address: str) -> None:
    why = of_members(TEAM, {**TEAM, address: 9000})
    hidden = veil(Members.HIDDEN)(why.sentence)
    assert address in why.sentence
    assert hidden == "+9,000 credits against the usual (+100 %): 100 % a member (first day of this member)"


def test_a_message_hides_members_in_sentence_and_contributors_alike() -> None:
    why = of_members(TEAM, {**TEAM, "ana.reyes@example.com": 9000})
    told = message(notice(evidence=replace(evidence(summary=why.sentence), contributors=why.contributors)))
    [shown] = veiled(told, Members.INITIALS).news
    assert shown.evidence.summary.endswith("100 % A.R. (first day of this member)")
    assert shown.evidence.contributors[0].category == "A.R."
