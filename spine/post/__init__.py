"""Steps that measure what was built: directions, energies, vertices, containment, matches to truth."""

from __future__ import annotations

from typing import Final

__all__ = ["ALIASES", "STEPS"]

STEPS: Final[dict[str, str]] = {
    name: f"spine.post.{name}"
    for name in (
        "calibration",
        "calo_ke",
        "calorimetric_direction",
        "cathode_crosser",
        "children_count",
        "containment",
        "crt_match",
        "csda_ke",
        "direction",
        "fiducial",
        "flash_match",
        "local_dedx",
        "match",
        "mcs_ke",
        "neutrino_logic",
        "particle_spread",
        "particle_threshold",
        "pid_template",
        "ppn",
        "shape_logic",
        "shower_conversion_distance",
        "shower_parametric_energy",
        "shower_start_correction",
        "shower_start_merge",
        "source",
        "start_straightness",
        "topology_threshold",
        "track_cluster",
        "track_extrema",
        "trigger",
        "vertex",
    )
}
"""Module of each step by its name."""

ALIASES: Final[dict[str, str]] = {
    "adjust_interaction_topology": "topology_threshold",
    "adjust_particle_properties": "particle_threshold",
    "apply_calibrations": "calibration",
    "assign_track_extrema": "track_extrema",
    "check_containment": "containment",
    "check_fiducial": "fiducial",
    "check_time_containment": "containment",
    "count_children": "children_count",
    "end_dedx": "local_dedx",
    "enforce_neutrino_topology": "neutrino_logic",
    "enforce_particle_semantics": "shape_logic",
    "find_cathode_crossers": "cathode_crosser",
    "get_ppn_candidates": "ppn",
    "parse_trigger": "trigger",
    "reconstruct_calo_direction": "calorimetric_direction",
    "reconstruct_calo_energy": "calo_ke",
    "reconstruct_calorimetric_direction": "calorimetric_direction",
    "reconstruct_csda_energy": "csda_ke",
    "reconstruct_directions": "direction",
    "reconstruct_mcs_energy": "mcs_ke",
    "reconstruct_vertex": "vertex",
    "run_crt_matching": "crt_match",
    "run_flash_matching": "flash_match",
    "start_dedx": "local_dedx",
    "time_containment": "containment",
}
"""Step that each older name stands for."""
