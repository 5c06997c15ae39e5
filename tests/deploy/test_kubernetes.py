"""The Kubernetes manifest: what it promises, and that a real daemon answers as its probes expect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.reading import (
    FOLDER,
    USER,
    config,
    container,
    environment,
    image,
    manifests,
    mapped_rules,
    pod,
    readme,
    secret_files,
)
from usage_watch import __version__
from usage_watch.config.web import WebSettings

PROBES = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def mounts() -> dict[str, str]:
    """Where each volume is mounted."""
    assert all("subPath" not in each for each in container()["volumeMounts"]), "it would never change in a running pod"
    return {each["name"]: each["mountPath"] for each in container()["volumeMounts"]}


def test_one_watches_into_one_disk() -> None:
    spec = manifests()["StatefulSet"]["spec"]
    assert spec["replicas"] == 1
    [claim] = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert mounts()[claim["metadata"]["name"]] == image("VOLUME")


def test_it_is_nobody() -> None:
    found = pod()["securityContext"]
    assert found["runAsNonRoot"] is True
    assert {found["runAsUser"], found["runAsGroup"], found["fsGroup"]} == {USER}
    assert f"{USER}:{USER}" == image("USER")
    assert found["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod()["automountServiceAccountToken"] is False


def test_it_may_do_nothing_that_it_needs_not() -> None:
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod().keys() & {"hostNetwork", "hostPID", "hostIPC"}


def test_it_has_room() -> None:
    assert container()["resources"]["limits"].keys() == {"memory"}, "a CPU limit would only make it late"


def test_no_secret_stands_in_it() -> None:
    assert "Secret" not in manifests()
    assert not container().keys() & {"env", "envFrom"}
    assert secret_files(mapped_rules()) != set()


def test_each_secret_is_made_where_it_is_looked_for() -> None:
    [volume] = [each["secret"] for each in pod()["volumes"] if "secret" in each]
    files = secret_files(mapped_rules())
    assert {str(each.parent) for each in files} == {mounts()["secrets"]}
    made = " ".join(f"--from-file={each.name}" for each in sorted(files))
    command = f"kubectl create secret generic {volume['secretName']} {made}"
    assert command in (FOLDER / "kubernetes.yaml").read_text()
    assert command in readme()


def test_what_is_mounted_is_for_its_group_alone() -> None:
    modes = [kind["defaultMode"] for each in pod()["volumes"] for kind in each.values() if isinstance(kind, dict)]
    assert modes == [0o440, 0o440], "fsGroup reads it, nobody else"


def test_its_rules_are_right() -> None:
    found = config(mapped_rules())
    assert isinstance(found.web, WebSettings)
    assert found.web.address == ("0.0.0.0", int(image("EXPOSE")))
    assert mounts()["rules"] == str(Path(environment()["USAGE_WATCH_CONFIG"]).parent)


def test_whatever_asks_finds_the_port() -> None:
    [port] = container()["ports"]
    assert port["containerPort"] == int(image("EXPOSE"))
    [served] = manifests()["Service"]["spec"]["ports"]
    assert (served["port"], served["targetPort"]) == (port["containerPort"], port["name"])
    annotations = manifests()["StatefulSet"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_the_service_finds_the_pod_by_the_name_that_is_allowed() -> None:
    found, spec = manifests()["Service"], manifests()["StatefulSet"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert found["spec"]["selector"] == spec["selector"]["matchLabels"] == labels
    assert spec["serviceName"] == found["metadata"]["name"]
    web = config(mapped_rules()).web
    assert isinstance(web, WebSettings)
    assert web.hosts == {found["metadata"]["name"]}


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_asks_by_the_address_of_the_pod(probe: str) -> None:
    [port] = container()["ports"]
    assert container()[probe]["httpGet"] == {"path": PROBES[probe], "port": port["name"]}
    assert container()[probe]["timeoutSeconds"] == 5


def test_it_is_the_image_of_this_version() -> None:
    assert container()["image"].rpartition(":")[2] == __version__
    assert container()["image"] in readme()
