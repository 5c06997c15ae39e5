"""The image: what the Dockerfile says of it. That it is also what comes out, test_image.py sees."""

from __future__ import annotations

import re
import tomllib
from pathlib import PurePosixPath

import click
import pytest

from tests.deploy.reading import ROOT, USER, dockerfile, environment, every, image, image_command, stages
from usage_watch import __version__, places
from usage_watch.cli.entry import cli


def test_two_stages_come_from_one_base_that_can_be_chosen() -> None:
    assert [every(stage, "FROM") for stage in stages()] == [["${BASE} AS build"], ["${BASE}"]]
    [base] = [rest for name, rest in dockerfile() if name == "ARG"]
    assert re.fullmatch(r"BASE=python:3\.11-slim-[a-z]+", base)


def test_what_is_installed_is_what_was_tested() -> None:
    [install] = [rest for rest in every(stages()[0], "RUN") if " install " in rest]
    assert " -c constraints.txt " in install
    assert " --no-cache-dir " in install


def test_the_environment_is_all_that_comes_from_the_first_stage() -> None:
    assert every(stages()[1], "COPY") == ["--from=build /opt/usage-watch /opt/usage-watch"]
    assert environment()["PATH"].split(":")[0] == "/opt/usage-watch/bin"


def test_nothing_runs_as_root() -> None:
    assert image("USER") == f"{USER}:{USER}", "a number, since Kubernetes cannot tell who a name is"
    names = [name for name, _ in stages()[-1]]
    assert "RUN" not in names[names.index("USER") :]


def test_it_keeps_everything_in_the_volume() -> None:
    kept_at = PurePosixPath(environment()[places.STORE_VARIABLE])
    assert str(kept_at.parent) == image("VOLUME") == image("WORKDIR")
    [prepared] = [rest for rest in every(stages()[-1], "RUN") if "install -d" in rest]
    assert f"-o {USER} -g {USER} -m 0700 {kept_at.parent}" in prepared


def test_it_finds_its_rules_where_a_service_has_them() -> None:
    assert PurePosixPath(environment()[places.CONFIG_VARIABLE]).parent == PurePosixPath(places.SERVICE_FOLDER)


def test_it_starts_the_program_without_a_shell_so_that_signals_reach_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert image_command("ENTRYPOINT") == list(project["scripts"])
    assert image("STOPSIGNAL") == "SIGTERM"


@pytest.mark.parametrize("arguments", [image_command("CMD"), image_command("HEALTHCHECK")[1:]])
def test_what_it_runs_is_a_command(arguments: list[str]) -> None:
    [name] = arguments
    assert cli.get_command(click.Context(cli), name) is not None


def test_its_health_is_asked_by_the_program_itself() -> None:
    assert image_command("HEALTHCHECK")[:1] == image_command("ENTRYPOINT")
    assert {"--interval=30s", "--timeout=10s", "--retries=3"} <= set(image("HEALTHCHECK").split())


def test_it_says_which_version_it_is() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', image("LABEL")))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert labels["version"] == __version__
    assert (labels["licenses"], labels["description"]) == (project["license"], project["description"])


def test_no_secret_is_built_in() -> None:
    given = [rest for name, rest in dockerfile() if name in {"ENV", "ARG"}]
    assert not re.search(r"KEY|TOKEN|SECRET|PASSWORD", " ".join(given), re.IGNORECASE)


def test_only_what_it_is_built_from_gets_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    everything, *others = [line for line in lines if line and not line.startswith("#")]
    assert everything == "*"
    let_in = {line.removeprefix("!") for line in others if line.startswith("!")}
    copied = [rest.split()[:-1] for rest in every(stages()[0], "COPY")]
    assert let_in == {source for sources in copied for source in sources}
    assert all((ROOT / name).exists() for name in let_in)
    assert others[-1] == "**/__pycache__", "what was compiled here is not for there"
