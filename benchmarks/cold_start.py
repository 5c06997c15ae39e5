"""How long `usage-watch --version` takes beside `python -c pass`, and `usage-watch --help`, all started in turn.

    python benchmarks/cold_start.py

Meant for an environment without the development tools: those slow down every start of its Python.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15


def main() -> None:
    """Print one JSON object; times in seconds, medians of fifteen runs."""
    program = str(Path(sys.executable).with_name("usage-watch"))
    commands = {
        "pass_s": [sys.executable, "-c", "pass"],
        "version_s": [program, "--version"],
        "help_s": [program, "--help"],
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        _run(command)  # writes byte code, fills the disk cache
    for _ in range(RUNS):
        for name, command in commands.items():
            took[name].append(_run(command))
    found = {name: round(statistics.median(times), 4) for name, times in took.items()}
    print(json.dumps({"runs": RUNS, **found, "ratio": round(found["version_s"] / found["pass_s"], 2)}))


def _run(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
