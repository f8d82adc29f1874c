"""Events shared by the tests of the generator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spine.sim import SimulatedEvent, SimulationConfig, simulate_events

pytest.importorskip("calzone", reason="the generator needs the extra 'sim'")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the computed Geant4 data out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def config() -> SimulationConfig:
    return SimulationConfig(seed=11, n_events=4)


@pytest.fixture(scope="session")
def events(config: SimulationConfig) -> list[SimulatedEvent]:
    return list(simulate_events(config))
