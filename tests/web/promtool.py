"""Debian's promtool and Prometheus: what they read is what they are meant to read."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def require(program: str) -> str:
    """Its path. Where it is not installed the test is skipped, unless this is the project's own run of all checks."""
    path = shutil.which(program)
    if path is None:
        why = f"{program} is not installed: apt-get install prometheus"
        (pytest.fail if os.environ.get("CI_DEBIAN") == "1" else pytest.skip)(why)
    return path


def lint(text: bytes) -> str:
    """What `promtool check metrics` has to say; nothing where all is well."""
    done = subprocess.run([require("promtool"), "check", "metrics"], input=text, capture_output=True, timeout=30)
    said = (done.stdout + done.stderr).decode()
    assert (done.returncode == 0) is (said == ""), said
    return said
