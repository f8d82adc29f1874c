"""Figures of the simulated numbers beside the published ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.physics import PER_LENGTH, XCOM, Check, Shower, parametrised_share
from spine.physics.constants import LIQUID_ARGON, MUON_MASS
from spine.physics.csda import csda_range
from spine.physics.energy_loss import most_probable_loss
from spine.physics.mcs import highland
from spine.physics.shower import longitudinal_maximum
from spine.schema.enums import Pid
from spine.sim import SimulationConfig, simulate_event
from spine.sim.config import NeutrinoConfig
from spine.sim.neutrinos import channels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Figures"]

Array = NDArray[np.float64]
SIMULATED: dict[str, Any] = {"fmt": "o", "ms": 4, "color": "tab:red", "label": "simulated"}
CLASSES = ("shower", "track", "Michel", "delta", "low energy")
COLOURS = ("tab:orange", "tab:blue", "tab:green", "tab:purple", "0.7")


def _canvas(panels: int, width: float = 4.2) -> tuple[Figure, list[Axes]]:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(1, panels, figsize=(width * panels, 3.2), layout="constrained", squeeze=False)
    return figure, list(axes[0])


def _ticks(axis: Axes, *places: float) -> None:
    """Plain numbers at some places of a logarithmic axis."""
    from matplotlib.ticker import NullLocator

    axis.set_xticks(places, [f"{p:g}" for p in places])
    axis.xaxis.set_minor_locator(NullLocator())


def _points(axis: Axes, found: list[Check], **style: Any) -> None:
    axis.errorbar([c.at for c in found], [c.value for c in found], [c.error for c in found], **{**SIMULATED, **style})


@dataclass(frozen=True)
class Figures:
    """Draws figures into a folder."""

    folder: Path

    def _save(self, figure: Figure, name: str) -> None:
        import matplotlib.pyplot as plt

        self.folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(self.folder / f"{name}.png", dpi=85, metadata={"Software": None})
        plt.close(figure)

    def ranges(self, muons: list[Check], protons: list[Check]) -> None:
        """Ranges, and their ratio to the published ones."""
        figure, (left, right) = _canvas(2)
        for found, pid, colour, name in (
            (muons, Pid.MUON, "tab:blue", "muon"),
            (protons, Pid.PROTON, "tab:green", "proton"),
        ):
            energy = np.geomspace(found[0].at * 0.8, found[-1].at * 1.1, 100)
            left.loglog(energy, csda_range(energy, pid, "published"), color=colour, label=f"{name}, {found[0].source}")
            _points(left, found, color=colour, label=f"{name}, simulated")
            ratio = [c.value / c.reference for c in found]
            right.errorbar([c.at for c in found], ratio, [c.error / c.reference for c in found], fmt="o", color=colour)
        left.set(xlabel="kinetic energy (MeV)", ylabel="range (cm)")
        left.legend(frameon=False)
        right.axhspan(0.98, 1.02, color="0.9")
        right.axhline(1, color="0.5", lw=1)
        right.set(xlabel="kinetic energy (MeV)", ylabel="simulated / published", xscale="log", ylim=(0.95, 1.05))
        self._save(figure, "simulation_ranges")

    def dedx(self, losses: dict[float, Array]) -> None:
        """Energy loss of muons in layers as thick as a voxel, for each range cut (cm)."""
        figure, (axis,) = _canvas(1, 5.2)
        for (cut, values), colour in zip(losses.items(), ("tab:orange", "tab:red"), strict=True):
            axis.hist(
                values / 0.3,
                np.arange(1, 4, 0.04).tolist(),
                histtype="step",
                color=colour,
                label=f"default_cut {cut:g} cm",
            )
        reference = float(most_probable_loss(1000 - 12.6, MUON_MASS, 0.3)) / 0.3
        axis.axvline(reference, color="0.3", lw=1, ls="--", label=f"most probable, PDG: {reference:.2f}")
        axis.set(xlabel="dE/dx of 1 GeV muons in 3 mm (MeV/cm)", ylabel="layers")
        axis.legend(frameon=False)
        self._save(figure, "simulation_dedx")

    def scattering(self, found: list[Check]) -> None:
        """Scattering angles of muons."""
        figure, (axis,) = _canvas(1, 5.2)
        energy = np.geomspace(120, 1500, 100)
        middle = energy - 2.12 * 7
        momentum = np.sqrt(middle * (middle + 2 * MUON_MASS))
        width = highland(momentum, MUON_MASS, 14.0) * 1e3
        axis.loglog(energy, width, color="tab:blue", label="Highland, Lynch and Dahl")
        axis.fill_between(energy, 0.89 * width, 1.11 * width, color="tab:blue", alpha=0.15, lw=0)
        _points(axis, found)
        axis.set(xlabel="kinetic energy of muons (MeV)", ylabel="projected angle behind 14 cm (mrad)")
        _ticks(axis, 150, 250, 400, 700, 1200)
        axis.legend(frameon=False)
        self._save(figure, "simulation_scattering")

    def showers(self, found: dict[float, Shower]) -> None:
        """Depth of the maximum, and energy within a radius."""
        figure, (left, right) = _canvas(2)
        energy = np.geomspace(150, 2500, 100)
        left.semilogx(energy, np.log(energy / LIQUID_ARGON.critical_energy) - 0.5, "0.5", label="PDG: ln(E/Ec) - 0.5")
        gp = [longitudinal_maximum(float(e), "gp") / LIQUID_ARGON.radiation_length for e in energy]
        left.semilogx(energy, gp, "tab:blue", label="Grindhammer and Peters")
        maxima = [s.maximum for s in found.values()]
        left.errorbar(list(found), maxima, [s.maximum_error for s in found.values()], **SIMULATED)
        left.set(xlabel="energy of electrons (MeV)", ylabel="shower maximum (radiation lengths)")
        _ticks(left, 200, 500, 1000, 2000)
        left.legend(frameon=False)
        radii = np.linspace(0.02, 3.5, 60)
        for e, colour in ((1000.0, "tab:blue"), (2000.0, "tab:green")):
            right.plot(radii, parametrised_share(e, radii), color=colour, ls="--", lw=1)
            right.plot(found[e].radius, found[e].contained, color=colour, label=f"{e / 1000:g} GeV")
        right.plot([1, 2, 3.5], [0.90, 0.95, 0.99], "kx", label="PDG rule")
        right.plot([], [], "k--", lw=1, label="Grindhammer and Peters")
        right.set(xlabel="radius (Moliere radii)", ylabel="share of the energy within", xlim=(0, 3.6), ylim=(0, 1.03))
        right.legend(frameon=False)
        self._save(figure, "simulation_showers")

    def photons(self, found: list[Check]) -> None:
        """Attenuation length of photons."""
        figure, (axis,) = _canvas(1, 5.2)
        axis.semilogx(XCOM[:, 0], 1 / XCOM[:, 1:].sum(1) / PER_LENGTH, color="tab:blue", label="all but Rayleigh, XCOM")
        axis.semilogx(XCOM[1:, 0], 1 / XCOM[1:, 2] / PER_LENGTH, color="tab:blue", ls=":", label="pairs alone, XCOM")
        axis.axhline(9 / 7 * LIQUID_ARGON.radiation_length, color="0.5", lw=1, ls="--", label="9/7 X0")
        _points(axis, found)
        axis.set(xlabel="energy of photons (MeV)", ylabel="attenuation length (cm)", ylim=(10, 60))
        axis.legend(frameon=False)
        self._save(figure, "simulation_photons")

    def michel(self, energy: Array) -> None:
        """Energies of Michel positrons."""
        figure, (axis,) = _canvas(1, 5.2)
        content, edges = np.histogram(energy, np.arange(0, 56, 2))
        centre = 0.5 * (edges[1:] + edges[:-1])
        axis.errorbar(centre, content, np.sqrt(content), **SIMULATED)
        x = np.linspace(0, 1, 200)
        density = x**2 * (3 - 2 * x) * 2 / (MUON_MASS / 2)
        axis.plot(x * MUON_MASS / 2, density * len(energy) * 2, color="tab:blue", label="Michel, rho = 3/4")
        axis.set(xlabel="energy of positrons of mu+ at rest (MeV)", ylabel="positrons per 2 MeV")
        axis.legend(frameon=False)
        self._save(figure, "simulation_michel")

    def neutrinos(self) -> None:
        """Cross sections by channel."""
        figure, axes = _canvas(2)
        energy = np.geomspace(200, 5000, 40)
        cfg = NeutrinoConfig()
        for axis, pdg, name in zip(axes, (14, -14), ("muon neutrinos", "muon antineutrinos"), strict=True):
            rows = [channels(pdg, float(e), cfg) for e in energy]
            for mode, colour, words in ((0, "tab:blue", "QE"), (1, "tab:orange", "resonant"), (2, "tab:green", "DIS")):
                for current, style in ((0, "-"), (1, ":")):
                    height = [sum(c.weight for c in r if (c.mode, c.current) == (mode, current)) / 40 for r in rows]
                    axis.semilogx(
                        energy / 1e3, height / energy * 1e3, style, color=colour, label=words if not current else None
                    )
            axis.set(xlabel="energy (GeV)", title=name, ylim=(0, None))
            _ticks(axis, 0.2, 0.5, 1, 2, 5)
        axes[0].set_ylabel("cross section / energy\n(1e-38 cm2 / GeV per nucleon)")
        axes[0].plot([], [], "k:", label="neutral current")
        axes[0].legend(frameon=False)
        self._save(figure, "simulation_neutrinos")

    def event(self) -> None:
        """One event with a neutrino, by class."""
        figure, axes = _canvas(2)
        event = simulate_event(SimulationConfig(seed=21, bomb=None, neutrino=NeutrinoConfig(energy=(1500, 2500))), 3)
        place = event.meta.lower + (event.coords + 0.5) * event.meta.size
        for axis, (a, b) in zip(axes, ((2, 1), (2, 0)), strict=True):
            for shape in (4, 0, 1, 2, 3):
                row = event.semantics == shape
                axis.scatter(
                    place[row, a], place[row, b], s=0.6, color=COLOURS[shape], label=CLASSES[shape], rasterized=True
                )
            axis.plot(*event.vertices[0, [a, b]], "k+", ms=9)
            axis.set(xlabel=f"{'xyz'[a]} (cm)", ylabel=f"{'xyz'[b]} (cm)", aspect="equal")
        axes[0].legend(frameon=False, markerscale=6, fontsize=7)
        self._save(figure, "simulation_event")
