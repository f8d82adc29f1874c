"""Steps run after what they read is written."""

from __future__ import annotations

import itertools

import pytest

from spine.errors import ConfigError
from spine.schema import Event
from spine.steps import Step, StepConfig, ordered, step


class Options(StepConfig):
    pass


def make(name: str, reads: str = "", writes: str = "") -> Step:
    def run(event: Event, cfg: Options) -> None:
        """Do nothing."""

    return Step(name, run, tuple(reads.split()), tuple(writes.split()), Options)


DIRECTION = make("direction", "points reco_particles.start_point", "reco_particles.start_dir")
VERTEX = make("vertex", "reco_particles.start_dir", "reco_interactions.vertex")
FIDUCIAL = make("fiducial", "reco_interactions.vertex", "reco_interactions.is_fiducial")
CALO = make("calo_ke", "depositions", "reco_particles.calo_ke")
ORIENT = make("track_extrema", "reco_particles.start_point", "reco_particles.start_point")


def test_any_order_of_the_configuration_gives_one_that_works() -> None:
    for steps in itertools.permutations([DIRECTION, VERTEX, FIDUCIAL, CALO, ORIENT]):
        names = [s.name for s in ordered(steps)]
        assert names.index("direction") < names.index("vertex") < names.index("fiducial")
        assert names.index("track_extrema") < names.index("direction")


def test_ties_keep_the_order_of_the_configuration() -> None:
    names = [s.name for s in ordered([CALO, VERTEX, DIRECTION])]
    assert names == ["calo_ke", "direction", "vertex"]


def test_two_writers_need_an_order() -> None:
    with pytest.raises(ConfigError, match="both write") as error:
        ordered([CALO, make("shower_energy", "points", "reco_particles.calo_ke")])
    assert "stages:" in str(error.value)


def test_steps_that_need_each_other() -> None:
    with pytest.raises(ConfigError, match="need each other"):
        ordered(
            [make("a", "points", "depositions"), make("b", "depositions", "sources"), make("c", "sources", "points")]
        )


def test_a_step_must_annotate_its_options() -> None:
    def bare(event: Event) -> None:
        """No options."""

    with pytest.raises(ConfigError, match="StepConfig"):
        step()(bare)
