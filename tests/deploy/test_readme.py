"""What people are told to type."""

from __future__ import annotations

import re

import click
import pytest

from tests.deploy.reading import FOLDER, commands, compose, manifests, readme
from usage_watch.cli.entry import cli


@pytest.mark.parametrize("file", ["README.md", "compose.yaml", "kubernetes.yaml"])
def test_it_names_no_command_that_is_none(file: str) -> None:
    known = cli.list_commands(click.Context(cli))
    assert commands((FOLDER / file).read_text()) <= set(known)


def test_it_names_what_stands_in_the_files() -> None:
    named = set(re.findall(r"secrets/(\w+)", readme()))
    assert named == set(compose()["secrets"])
    [workload] = set(re.findall(r"statefulset/([\w-]+)", readme()))
    assert workload == manifests()["StatefulSet"]["metadata"]["name"]
    assert set(re.findall(r"kubectl exec ([\w-]+) ", readme())) == {f"{workload}-0"}


def test_each_file_that_it_links_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", readme())
    assert links
    assert [link for link in links if not (FOLDER / link).is_file()] == []
