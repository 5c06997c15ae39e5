"""What the pages are looked at over: made once, and not written to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.page.office import Office, hostile, simulated


@pytest.fixture(scope="session")
def unproxied() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "*")
        yield


@pytest.fixture(scope="session")
def office(unproxied: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Three jobs ran away; now the source takes the key no more."""
    with simulated(tmp_path_factory.mktemp("simulated")) as found:
        yield found


@pytest.fixture(scope="session")
def well(unproxied: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The same, and the source is well."""
    with simulated(tmp_path_factory.mktemp("well"), fails=False) as found:
        yield found


@pytest.fixture(scope="session")
def odd(unproxied: None, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Names that nobody should have."""
    return hostile(tmp_path_factory.mktemp("hostile"))
