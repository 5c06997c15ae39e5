"""What stands in the files by which the program is deployed."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import yaml

from usage_watch.config import Config, read, warnings
from usage_watch.yamlfile import parse

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy"
USER = 10001

Instruction = tuple[str, str]
"""Its name in capitals, and what follows."""


def dockerfile() -> list[Instruction]:
    """The instructions of the Dockerfile, in order."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    parts = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name.upper(), " ".join(rest.split())) for name, rest in parts]


def stages() -> list[list[Instruction]]:
    """From one FROM to the next; what stands before the first is none."""
    found: list[list[Instruction]] = []
    for each in dockerfile():
        if each[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(each)
    return found


def every(instructions: list[Instruction], name: str) -> list[str]:
    return [rest for each, rest in instructions if each == name]


def image(name: str) -> str:
    """What the image ends up with, of an instruction of which the last counts."""
    return every(stages()[-1], name)[-1]


def image_command(name: str) -> list[str]:
    """A command that is written without a shell."""
    found: list[str] = json.loads(image(name).partition("CMD ")[2] or image(name))
    return found


def environment() -> dict[str, str]:
    """What the image sets."""
    return dict(each.split("=", 1) for rest in every(stages()[-1], "ENV") for each in rest.split())


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return found


def service() -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"]["usage-watch"]
    return found


def manifests() -> dict[str, dict[str, Any]]:
    """The objects of the Kubernetes manifest, by kind."""
    found = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))
    by_kind = {each["kind"]: each for each in found}
    assert len(by_kind) == len(found)
    return by_kind


def pod() -> dict[str, Any]:
    """What the StatefulSet makes pods from."""
    found: dict[str, Any] = manifests()["StatefulSet"]["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    [found] = pod()["containers"]
    assert isinstance(found, dict)
    return found


def mapped_rules() -> str:
    """The rules file in the ConfigMap."""
    [(name, text)] = manifests()["ConfigMap"]["data"].items()
    assert name == Path(environment()["USAGE_WATCH_CONFIG"]).name
    return str(text)


def readme() -> str:
    return (FOLDER / "README.md").read_text()


def readme_rules() -> str:
    """The rules file that the README has people write for Compose."""
    block = readme().split("<!-- rules -->", 1)[1].split("```sh\n", 1)[1]
    return textwrap.dedent(block.split("<<'END'\n", 1)[1].split("END\n", 1)[0].rstrip(" "))


def config(text: str) -> Config:
    """What a rules file means; fails where it has faults, or earns warnings."""
    document = parse(text.encode(), "rules.yaml")
    found = read(document, {})
    assert [each.message for each in warnings(found, {}, {}) if "cannot be read" not in each.message] == []
    return found


def secret_files(text: str) -> set[Path]:
    """Where a rules file has secrets read from; fails where it names them in another way."""
    assert not re.search(r"\{(env|credential):", text)
    return {Path(each) for each in re.findall(r"\{file: ([^}]+)\}", text)}


def commands(text: str) -> set[str]:
    """What a text has `usage-watch` do."""
    return set(re.findall(r"usage-watch (?!usage-watch)([a-z][a-z-]*)", text))
