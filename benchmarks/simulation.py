"""The event generator beside published numbers, and its speed.

    python -m benchmarks.simulation [--output benchmarks/results/simulation.json] [--docs docs]

Writes the checks as JSON, their table into docs/simulation.md, and figures into docs/figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks import physics
from benchmarks.physics import XCOM, Check
from benchmarks.simulation_figures import Figures
from spine.sim import SimulationConfig, simulate_event
from spine.sim.config import BombConfig, NeutrinoConfig, ResponseConfig, TransportConfig

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- checks: written by python -m benchmarks.simulation -->", "<!-- end of checks -->"


def checks(figures: Figures) -> Iterator[Check]:
    """All checks; what they measure goes into the figures too."""
    yield from _tracks(figures)
    yield from _showers(figures)
    pairs = physics.apart(physics.conversions, XCOM[:, 0].tolist(), 3000)
    figures.photons([length for length, _ in pairs])
    yield from (check for pair in pairs for check in pair)
    energy, found = physics.michel_spectrum(3000)
    figures.michel(energy)
    yield from found
    yield from physics.capture(2000)


def _tracks(figures: Figures) -> Iterator[Check]:
    muons = [physics.ranges(-13, energy, 80) for energy in (30.0, 100.0, 200.0, 500.0, 1000.0)]
    protons = [physics.ranges(2212, energy, 100) for energy in (50.0, 100.0, 200.0, 300.0, 400.0)]
    figures.ranges(muons, protons)
    yield from muons + protons
    for thickness, cut in ((0.3, 0.03), (1.0, 0.03), (0.3, 0.003), (0.5, 0.003)):
        yield physics.apart(physics.most_probable, 1000.0, thickness, 200, cut)
    cuts = (0.03, 0.003)
    figures.dedx({cut: physics.apart(physics.slab_losses, 1000.0, 0.3, 200, cut) for cut in cuts})
    angles = [physics.scattering(energy, 14.0, 300) for energy in (150.0, 250.0, 400.0, 700.0, 1200.0)]
    figures.scattering(angles)
    yield from angles


def _showers(figures: Figures) -> Iterator[Check]:
    showers = {energy: physics.shower(11, energy, count) for energy, count in
               ((200.0, 200), (500.0, 150), (1000.0, 120), (2000.0, 80))}  # fmt: skip
    figures.showers(showers)
    for energy in (1000.0, 2000.0):
        yield physics.depth_of_maximum(showers[energy], energy)
        yield from (physics.moliere(showers[energy], energy, radius) for radius in (1.0, 2.0))


def rates(events: int) -> dict[str, dict[str, float]]:
    """Process time per event and voxels of some configurations: five particles from a vertex, with cosmics."""
    five = BombConfig(multiplicity=(5, 5))
    full = ResponseConfig(
        recombination="box", lifetime=5000, longitudinal_diffusion=4, transverse_diffusion=13, noise=500
    )
    cases = {
        "5 particles and cosmics": SimulationConfig(bomb=five),
        "the same, default_cut 0.003 cm": SimulationConfig(bomb=five, transport=TransportConfig(default_cut=0.003)),
        "the same, with the response": SimulationConfig(bomb=five, response=full),
        "a neutrino and cosmics": SimulationConfig(bomb=None, neutrino=NeutrinoConfig()),
    }
    return {name: physics.apart(_rate, cfg, events) for name, cfg in cases.items()}


def _rate(cfg: SimulationConfig, events: int) -> dict[str, float]:
    simulate_event(cfg, events)
    start = time.process_time()
    voxels = [len(simulate_event(cfg, event).charge) for event in range(events)]
    seconds = (time.process_time() - start) / events
    return {"ms_per_event": 1e3 * seconds, "events_per_second": 1 / seconds, "mean_voxels": float(np.mean(voxels))}


def table(found: list[Check], speed: dict[str, dict[str, float]]) -> str:
    """Checks and rates as Markdown."""
    lines = ["| quantity | energy (MeV) | simulated | published | deviation | tolerance | source |", "|" + "---|" * 7]
    for c in found:
        at = "" if np.isnan(c.at) else f"{c.at:g}"
        error = f" ± {c.error:.2g}" if c.error > 0 else ""
        mark = "" if c.good else " **(outside)**"
        lines.append(
            f"| {c.quantity} | {at} | {c.value:.4g}{error} {c.unit} | {c.reference:.4g} {c.unit} "
            f"| {100 * c.deviation:+.1f} % | {100 * c.tolerance:.0f} %{mark} | {c.source} |"
        )
    lines += [
        "",
        "| events | ms per event and core | events per second and core | mean number of voxels |",
        "|" + "---|" * 4,
    ]
    lines += [
        f"| {name} | {r['ms_per_event']:.0f} | {r['events_per_second']:.0f} | {r['mean_voxels']:.0f} |"
        for name, r in speed.items()
    ]
    return "\n".join(lines)


def _write_table(page: Path, text: str) -> None:
    if not page.is_file():
        return
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Measure, draw, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=40)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "simulation.json")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    figures = Figures(options.docs / "figures")
    found = list(checks(figures))
    figures.neutrinos()
    figures.event()
    speed = rates(options.events)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"checks": [asdict(c) | {"good": c.good} for c in found], "rates": speed}
    options.output.write_text(json.dumps(result, indent=2).replace("NaN", "null") + "\n")
    _write_table(options.docs / "simulation.md", table(found, speed))
    print(table(found, speed))  # noqa: T201
    if not all(c.good for c in found):
        sys.exit("some numbers are outside of their tolerance")


if __name__ == "__main__":
    main()
