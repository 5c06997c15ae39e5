"""The real daemon under SIGKILL, between the receivers that the tests use."""

import sys
from pathlib import Path

# The fakes are the tests'; whoever runs a benchmark as a file has only its folder to import from.
_ROOT = str(Path(__file__).resolve().parents[2])
if _ROOT not in sys.path:
    sys.path.append(_ROOT)
