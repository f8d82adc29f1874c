"""Steps run after what they read is written."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from spine.errors import ConfigError
from spine.schema import Event
from spine.steps import Step, StepConfig, ordered, step
from spine.steps.order import order_of
from spine.steps.registry import known_steps, load_step


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


def test_a_step_may_stand_twice() -> None:
    assert order_of([VERTEX, DIRECTION, CALO, DIRECTION]) == [1, 2, 3, 0]


def test_steps_that_name_each_other_need_no_list() -> None:
    first = make("shape_logic", "reco_particles.pid_scores", "reco_particles.pid reco_particles.pid_scores")
    later = replace(make("neutrino_logic", " ".join(first.writes), " ".join(first.writes)), after=("shape_logic",))
    last = replace(make("names", "points", "reco_particles.pid"), after=("neutrino_logic", "shape_logic"))
    for steps in itertools.permutations([first, later, last]):
        assert [s.name for s in ordered(steps)] == ["shape_logic", "neutrino_logic", "names"]


def test_all_steps_of_post_have_an_order() -> None:
    names = [s.name for s in ordered([load_step("post", name) for name in sorted(known_steps("post"))])]
    for before, after in [
        ("calibration", "calo_ke"), ("shape_logic", "particle_threshold"), ("particle_threshold", "neutrino_logic"),
        ("direction", "track_extrema"), ("track_extrema", "vertex"), ("shower_start_merge", "vertex"),
        ("cathode_crosser", "vertex"), ("vertex", "shower_start_correction"), ("trigger", "flash_match"),
        ("neutrino_logic", "csda_ke"), ("source", "calibration"), ("vertex", "fiducial"),
    ]:  # fmt: skip
        assert names.index(before) < names.index(after), (before, after)


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
