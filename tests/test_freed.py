from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
from usage_watch.freed import give_back

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4 // 1024

kept = [bytes(100_000) for _ in range(1000)]
held = kept[::10]
del kept
before = resident()
give_back()
print(before - resident(), len(held))
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library keeps nothing that it tells of"
)
def test_what_is_freed_between_what_is_kept_is_given_back() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout.split()
    assert int(said[0]) >= 50, "of 90 MiB that were freed"
