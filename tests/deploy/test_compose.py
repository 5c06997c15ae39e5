"""The compose file: what it promises, and that the rest of the project keeps to it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from tests.deploy.reading import (
    FOLDER,
    compose,
    config,
    environment,
    every,
    image,
    readme_rules,
    secret_files,
    service,
    stages,
)
from usage_watch import __version__
from usage_watch.config.web import WebSettings

SECRETS = Path("/run/secrets")
"""Where Compose puts them."""


def test_it_may_do_nothing_that_it_needs_not() -> None:
    found = service()
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert not found.keys() & {"privileged", "cap_add", "user", "pid", "ipc", "network_mode", "devices", "tmpfs"}


def test_nobody_but_this_machine_gets_to_its_port() -> None:
    [published] = service()["ports"]
    address, _, inside = published.split(":")
    assert address == "127.0.0.1"
    assert inside == image("EXPOSE")


def test_it_comes_back_and_ends_in_peace() -> None:
    assert service()["restart"] == "unless-stopped"
    assert service()["stop_grace_period"] == "15s"


def test_its_log_does_not_fill_the_disk() -> None:
    assert service()["logging"]["options"].keys() == {"max-size", "max-file"}


def test_it_is_built_from_this_project() -> None:
    assert (FOLDER / service()["build"]["context"] / "Dockerfile").is_file()
    assert service()["image"] == f"usage-watch:{__version__}"


def test_what_it_stores_outlives_it() -> None:
    volume, target = service()["volumes"][0].split(":")
    assert volume in compose()["volumes"]
    assert target == image("VOLUME")
    assert [volume for stage in stages() for volume in every(stage, "VOLUME")] == [target]


def test_a_rules_file_that_an_editor_replaces_is_seen() -> None:
    mounted = service()["volumes"][1]
    assert mounted["target"] == str(PurePosixPath(environment()["USAGE_WATCH_CONFIG"]).parent), "the folder"
    assert (mounted["type"], mounted["read_only"]) == ("bind", True)
    assert mounted["bind"] == {"create_host_path": False}, "a forgotten folder is an error, not an empty folder of root"


def test_secrets_are_files_that_stay_out_of_the_sources() -> None:
    declared = compose()["secrets"]
    assert service()["secrets"] == list(declared)
    assert not service().keys() & {"environment", "env_file"}
    ignored = (FOLDER / ".gitignore").read_text().splitlines()
    for each in declared.values():
        assert each.keys() == {"file"}
        assert f"/{Path(each['file']).parent}/" in ignored


def test_the_rules_of_the_readme_fit() -> None:
    text = readme_rules()
    found = config(text)
    assert secret_files(text) == {SECRETS / name for name in service()["secrets"]}
    assert isinstance(found.web, WebSettings)
    assert found.web.address == ("0.0.0.0", int(image("EXPOSE")))
    assert "usage-watch" in found.web.hosts, "as other services of the file call it"
