"""Who the made-up organization is."""

import pytest

from usage_watch.simulator import Organization

SEEDS = range(5)


def test_the_same_seed_makes_the_same_organization() -> None:
    assert Organization.from_seed(4) == Organization.from_seed(4)


def test_another_seed_makes_another_organization() -> None:
    assert Organization.from_seed(4).members != Organization.from_seed(5).members


@pytest.mark.parametrize("seed", SEEDS)
def test_members_are_forty_and_in_order_of_their_emails(seed: int) -> None:
    emails = [member.email for member in Organization.from_seed(seed).members]
    assert len(set(emails)) == 40
    assert emails == sorted(emails)
    assert all(email.endswith("@example.com") for email in emails)
    assert "ana@example.com" in emails


@pytest.mark.parametrize("seed", SEEDS)
def test_three_heavy_members_use_a_third(seed: int) -> None:
    shares = sorted((member.credits_per_day for member in Organization.from_seed(seed).members), reverse=True)
    assert 0.3 < sum(shares[:3]) / sum(shares) < 0.4
    assert shares[0] > 5 * shares[20]


@pytest.mark.parametrize("seed", SEEDS)
def test_some_join_midway_and_another_leaves(seed: int) -> None:
    members = Organization.from_seed(seed).members
    joiners = [member for member in members if member.joined_day > 0]
    leavers = [member for member in members if member.left_day is not None]
    assert len(joiners) == 4
    assert len(leavers) == 1
    assert leavers[0] not in joiners


def test_one_model_is_launched_midway() -> None:
    launched = [model for model in Organization.from_seed(1).models if model.launched_day > 0]
    assert [model.name for model in launched] == ["claude-opus-5"]


@pytest.mark.parametrize(
    "trap",
    [
        "<!channel>",
        "<!here>",
        "<@U012AB3CD>",
        "<script>",
        "<img src=x onerror=",
        "=?utf-8?q?x?=",
        "\x1b[31m",
        "\r\nX-Injected:",
        "\nBcc:",
        "\u202e",
        "=HYPERLINK(",
        "{{7*7}}",
        "%s",
        "|click me>",
        "📈",
        "(unattributed)",
    ],
)
def test_titles_are_as_untrusted_as_members_can_make_them(trap: str) -> None:
    titles = Organization.from_seed(1).titles
    typed = [*titles["Space"], *titles["Skill"], *titles["Workflow"]]
    assert any(trap in title for title in typed)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_axis_has_a_category_twice(seed: int) -> None:
    for axis, categories in Organization.from_seed(seed).categories.items():
        assert len(set(categories)) == len(categories), axis


def test_duration_bands_are_spelled_in_several_ways() -> None:
    spellings = {Organization.from_seed(seed).titles["Task Duration"] for seed in SEEDS}
    assert len(spellings) == 3
