"""The table "What a rule may ask of the source", row by row."""

from __future__ import annotations

import pytest

from tests.rules.making import made
from usage_watch.core.series import DAY, EACH_MEMBER, EVERYONE, HOUR, Feed, Width
from usage_watch.rules.asking import Question, Refusal, ask

ANA = "ana@example.com"


def question(
    dataset: str, width: Width, where: tuple[str, ...] = (), for_each: str | None = None, member: str | None = None
) -> Question:
    if member is None and "member" in where:
        member = ANA
    return Question(dataset, width, where, for_each, member)


@pytest.mark.parametrize(
    ("dataset", "width", "where", "for_each", "scope"),
    [
        # A total, or where/for_each on one axis: v1.
        ("credit_usage", HOUR, (), None, EVERYONE),
        ("credit_usage", DAY, (), None, EVERYONE),
        ("credit_usage", HOUR, ("Model",), None, EVERYONE),
        ("credit_usage", HOUR, (), "Model", EVERYONE),
        ("credit_usage", DAY, ("credit_source",), "Credit Source", EVERYONE),
        ("query_volume", DAY, (), "Model Family", EVERYONE),
        ("daily_active_users", DAY, (), None, EVERYONE),
        ("connectors", HOUR, (), "connector", EVERYONE),
        ("task_durations", DAY, ("Task Duration",), None, EVERYONE),
        # One member by the hour: v1 with user_email.
        ("credit_usage", HOUR, ("member",), None, ANA),
        ("credit_usage", HOUR, ("Member", "Model"), None, ANA),
        ("credit_usage", HOUR, ("member",), "Model", ANA),
        ("skills", HOUR, ("member",), "Skill", ANA),
        # One member by the day: v2 where it has the dataset, else v1 with user_email.
        ("credit_usage", DAY, ("member",), None, EACH_MEMBER),
        ("credit_usage", DAY, ("member", "Model"), None, EACH_MEMBER),
        ("query_volume", DAY, ("member",), None, EACH_MEMBER),
        ("query_volume", DAY, ("member",), "Feature", EACH_MEMBER),
        ("skills", DAY, ("member",), None, ANA),
        ("task_durations", DAY, ("member", "Task Duration"), None, ANA),
        # Each member: v2 by the day.
        ("credit_usage", DAY, (), "member", EACH_MEMBER),
        ("credit_usage", DAY, ("Model",), "Member", EACH_MEMBER),
        ("credit_usage", DAY, ("credit_source",), "member", EACH_MEMBER),
        ("query_volume", DAY, ("comet",), "member", EACH_MEMBER),
        ("credit_usage", DAY, ("member", "Model"), "member", EACH_MEMBER),
        # What is not known is taken at its word.
        ("brand_new", HOUR, (), None, EVERYONE),
        ("brand_new", HOUR, ("Whatever",), None, EVERYONE),
        ("brand_new", DAY, ("member",), None, ANA),
    ],
)
def test_what_the_source_can_answer(
    dataset: str, width: Width, where: tuple[str, ...], for_each: str | None, scope: str
) -> None:
    named = tuple("member" if name == "Member" else name for name in where)
    assert ask(question(dataset, width, named, for_each)) == Feed(dataset, width, scope)
    member = ANA if "member" in named else None
    assert ask(Question(dataset, width, where, for_each, member)) == Feed(dataset, width, scope)


@pytest.mark.parametrize(
    ("dataset", "width", "where", "for_each", "field", "says"),
    [
        # Each member by the hour.
        ("credit_usage", HOUR, (), "member", "bucket", "the source has members by day only; write `bucket: 1d`"),
        # Each member of what v2 lacks.
        ("skills", DAY, (), "member", "for_each", "the source has members of credit_usage and query_volume only"),
        ("skills", DAY, ("Skill",), "member", "for_each", "members of credit_usage and query_volume only"),
        ("daily_active_users", DAY, (), "member", "for_each", "members of credit_usage and query_volume only"),
        ("brand_new", DAY, (), "member", "for_each", "members of credit_usage and query_volume only"),
        # Axes that v2 lacks.
        ("query_volume", DAY, ("member", "Model"), None, "where.member", "cannot be split by Model for members"),
        ("query_volume", DAY, ("member",), "Model Family", "where.member", "cannot be split by Model Family"),
        ("query_volume", DAY, ("Model",), "member", "for_each", "the source has Feature, Project, Comet there"),
        # Of one member, what the source does not say.
        ("daily_active_users", DAY, ("member",), None, "where.member", "does not say daily_active_users of one member"),
        # Hours of what has days only.
        ("query_volume", HOUR, (), None, "bucket", "cannot be 1h: query_volume comes in days only"),
        ("query_volume", HOUR, ("member",), None, "bucket", "cannot be 1h: query_volume comes in days only"),
        ("daily_active_users", HOUR, (), None, "bucket", "write `bucket: 1d` or leave it out"),
        # Two axes.
        ("credit_usage", HOUR, ("Model", "Credit Source"), None, "where.Credit Source", "one axis at a time"),
        ("credit_usage", HOUR, ("Model",), "Credit Source", "for_each", "asks for Model and Credit Source together"),
        ("credit_usage", DAY, ("Model", "Credit Source"), "member", "where.Credit Source", "keep one of them"),
        ("credit_usage", DAY, ("member", "Model", "credit_source"), None, "where.credit_source", "keep one of them"),
        ("brand_new", HOUR, ("A",), "B", "for_each", "asks for A and B together"),
        # Axes that are not there.
        ("credit_usage", HOUR, ("Modell",), None, "where.Modell", "did you mean Model?"),
        ("credit_usage", HOUR, (), "credit_sauce", "for_each", "has Model, Credit Source; did you mean Credit Source?"),
        ("skills", DAY, (), "Xyzzy", "for_each", "names the axis Xyzzy, but skills has Skill"),
        ("daily_active_users", DAY, (), "Model", "for_each", "daily_active_users has none: it is a total only"),
    ],
)
def test_what_the_source_cannot_answer_is_refused_with_the_reason(
    dataset: str, width: Width, where: tuple[str, ...], for_each: str | None, field: str, says: str
) -> None:
    answer = ask(question(dataset, width, where, for_each))
    assert isinstance(answer, Refusal)
    assert ".".join(answer.field) == field
    assert says in answer.message


def test_a_far_miss_is_not_guessed_at() -> None:
    answer = ask(question("skills", DAY, for_each="Xyzzy"))
    assert isinstance(answer, Refusal)
    assert "did you mean" not in answer.message


@pytest.mark.parametrize("member", [[ANA], {"not": ANA}, "*@example.com", "everyone", "each-member", "", "ana"])
def test_one_member_is_named_by_email(member: object) -> None:
    answer = made("threshold", above=1, where={"member": member}).answer()
    assert isinstance(answer, Refusal)
    assert answer.field == ("where", "member")
    assert answer.message == "names one member by email; for every member write `for_each: member`"


def test_two_members_are_not_one() -> None:
    answer = made("threshold", above=1, where={"member": ANA, "Member": "bo@example.com"}).answer()
    assert isinstance(answer, Refusal)
