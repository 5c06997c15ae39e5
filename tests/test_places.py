"""Where the rules file and the database are when nobody says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from usage_watch import places
from usage_watch.config import load
from usage_watch.places import SERVICE_STORE


@pytest.fixture(autouse=True)
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service's folder; the working directory is another, and empty."""
    folder, here = tmp_path / "etc", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.setattr(places, "SERVICE_FOLDER", folder)
    monkeypatch.chdir(here)
    for name in (places.CONFIG_VARIABLE, places.STORE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return folder


def written(path: Path, text: str = "web: off\n") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_the_rules_file_is_the_services_where_there_is_no_other(service: Path) -> None:
    services = written(service / "rules.yaml")
    assert places.rules_file({}) == services
    written(Path("rules.yaml"))
    assert places.rules_file({}) == Path("rules.yaml")
    assert places.rules_file({"USAGE_WATCH_CONFIG": "mine.yaml"}) == Path("mine.yaml")
    assert places.rules_file({"USAGE_WATCH_CONFIG": ""}) == Path("rules.yaml")


def test_where_there_is_none_the_one_here_is_missed() -> None:
    assert places.rules_file({}) == Path("rules.yaml")


def test_a_link_here_that_leads_nowhere_is_not_passed_over(service: Path) -> None:
    written(service / "rules.yaml")
    Path("rules.yaml").symlink_to("gone.yaml")
    assert places.rules_file({}) == Path("rules.yaml")


@pytest.mark.parametrize("where", ["etc/rules.yaml", "etc/teams/a.yaml", "here/../etc/rules.yaml", "../etc/rules.yaml"])
def test_the_services_rules_file_keeps_its_database_where_the_service_may_write(tmp_path: Path, where: str) -> None:
    found = tmp_path / where if not where.startswith("..") else Path(where)
    written(found)
    assert load(found, {}).store.path == SERVICE_STORE


def test_a_link_in_the_services_folder_is_the_services_file(service: Path, tmp_path: Path) -> None:
    (service / "rules.yaml").symlink_to(written(tmp_path / "checkout" / "rules.yaml"))
    assert load(service / "rules.yaml", {}).store.path == SERVICE_STORE


def test_any_other_keeps_it_in_the_working_directory(tmp_path: Path) -> None:
    for path in (Path("rules.yaml"), tmp_path / "etcetera" / "rules.yaml"):
        assert load(written(path), {}).store.path == Path("usage-watch.db")


@pytest.mark.parametrize(
    ("text", "environ", "path"),
    [
        ("web: off\n", {"USAGE_WATCH_STORE": "/data/usage-watch.db"}, "/data/usage-watch.db"),
        ("web: off\n", {"USAGE_WATCH_STORE": ""}, str(SERVICE_STORE)),
        ("store: {path: mine.db}\n", {"USAGE_WATCH_STORE": "/data/usage-watch.db"}, "mine.db"),
        ("store: {path: usage-watch.db}\n", {}, "usage-watch.db"),
        ("store: {}\n", {}, str(SERVICE_STORE)),
    ],
)
def test_the_file_goes_over_the_environment_over_where_it_stands(
    service: Path, text: str, environ: Mapping[str, str], path: str
) -> None:
    found = load(written(service / "rules.yaml", text), environ)
    assert found.store.path == Path(path)
    assert found.document is not None
