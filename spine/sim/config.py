"""Configuration of the built-in event generator: what is shot, into which volume, and how it becomes voxels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = [
    "BombConfig",
    "CosmicsConfig",
    "FlavourConfig",
    "GeneratorConfig",
    "GunConfig",
    "ImageConfig",
    "LabelConfig",
    "NeutrinoConfig",
    "RainConfig",
    "ResponseConfig",
    "SimulationConfig",
    "SpeciesConfig",
    "TransportConfig",
]


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"the lower end {value[0]} lies above the upper end {value[1]}")
    return value


Span = Annotated[tuple[float, float], AfterValidator(_ordered)]
EnergySpan = Annotated[tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]], AfterValidator(_ordered)]
CountSpan = Annotated[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], AfterValidator(_ordered)]
Vector = tuple[float, float, float]
Size = Annotated[int, Field(gt=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageConfig(_Frozen):
    """The regular grid of voxels and the argon around it."""

    voxel_size: float = Field(0.3, gt=0, description="Edge of a cubic voxel (cm)")
    cells: tuple[Size, Size, Size] = Field((768, 768, 768), description="Number of voxels along x, y, z")
    lower: Vector = Field((-115.2, -115.2, -115.2), description="Lower corner of the image (cm)")
    frame: Literal["given", "detector"] = Field(
        "given",
        description="Whether cells and lower count as given, or the image is laid around the detector of block geo; "
        "deposits outside of its drift volumes are not seen then",
    )
    box_margin: float = Field(
        0.0, ge=0, description="Liquid argon beyond each face of the image (cm); deposits there are not seen"
    )
    voxel_threshold: float = Field(
        0.05, ge=0, description="Voxels with less deposited energy than this are dropped (MeV)"
    )


class SpeciesConfig(_Frozen):
    """One kind of particle that a vertex may emit."""

    pdg: int = Field(description="PDG code of the particle")
    weight: float = Field(1.0, gt=0, description="Relative probability of this kind (no unit)")
    kinetic_energy: EnergySpan = Field(description="Kinetic energy, uniform between these (MeV)")
    max_count: int = Field(10, ge=1, description="Largest number of this kind at one vertex")


def _default_species() -> tuple[SpeciesConfig, ...]:
    return (
        SpeciesConfig(pdg=11, weight=1.0, kinetic_energy=(50.0, 1000.0), max_count=1),
        SpeciesConfig(pdg=13, weight=0.7, kinetic_energy=(50.0, 600.0), max_count=1),
        SpeciesConfig(pdg=-13, weight=0.5, kinetic_energy=(50.0, 600.0), max_count=1),
        SpeciesConfig(pdg=22, weight=1.0, kinetic_energy=(50.0, 1000.0), max_count=2),
        SpeciesConfig(pdg=111, weight=0.7, kinetic_energy=(50.0, 1000.0), max_count=2),
        SpeciesConfig(pdg=211, weight=0.7, kinetic_energy=(50.0, 600.0), max_count=2),
        SpeciesConfig(pdg=-211, weight=0.7, kinetic_energy=(50.0, 600.0), max_count=2),
        SpeciesConfig(pdg=2212, weight=2.0, kinetic_energy=(50.0, 400.0), max_count=4),
    )


class BombConfig(_Frozen):
    """Particle bombs: several particles in random directions from a common vertex."""

    vertices: CountSpan = Field((1, 1), description="Number of vertices per event, both ends included")
    multiplicity: CountSpan = Field((2, 5), description="Number of particles per vertex, both ends included")
    species: tuple[SpeciesConfig, ...] = Field(
        default_factory=_default_species, min_length=1, description="Kinds of particles to choose from"
    )
    vertex_margin: float = Field(20.0, ge=0, description="Distance of vertices from the image faces (cm)")
    time: Span = Field((0.0, 0.0), description="Time of a vertex, uniform between these (us)")


class GunConfig(_Frozen):
    """A single particle per event, from a vertex of its own."""

    pdg: int = Field(13, description="PDG code of the particle")
    kinetic_energy: EnergySpan = Field((200.0, 200.0), description="Kinetic energy, uniform (MeV)")
    position: Vector | None = Field(None, description="Start (cm); uniform in the image when not given")
    direction: Vector | None = Field(None, description="Direction (any length); isotropic when not given")
    time: Span = Field((0.0, 0.0), description="Time of the vertex, uniform between these (us)")


class FlavourConfig(_Frozen):
    """One kind of neutrino."""

    pdg: Literal[12, -12, 14, -14] = Field(description="PDG code of the neutrino")
    weight: float = Field(1.0, gt=0, description="Relative number of interactions (no unit)")


def _default_flavours() -> tuple[FlavourConfig, ...]:
    return tuple(FlavourConfig(pdg=pdg, weight=w) for pdg, w in ((14, 0.4), (-14, 0.1), (12, 0.4), (-12, 0.1)))


class NeutrinoConfig(_Frozen):
    """Neutrino interactions: a lepton and hadrons from one vertex, with the truth record of the neutrino.

    Quasi-elastic (Llewellyn Smith), resonant (Delta) and deeply inelastic scattering on nucleons of a Fermi gas.
    """

    vertices: CountSpan = Field((1, 1), description="Number of interactions per event, both ends included")
    flavours: tuple[FlavourConfig, ...] = Field(
        default_factory=_default_flavours, min_length=1, description="Kinds of neutrinos to choose from"
    )
    energy: EnergySpan = Field(
        (300.0, 3000.0), description="Energy of interacting neutrinos, uniform between these (MeV)"
    )
    spectrum: tuple[tuple[float, float], ...] = Field(
        (),
        description="Points of a spectrum of interacting neutrinos that replaces the uniform one: rising energy (MeV), "
        "relative number per energy, straight lines between",
    )
    cc_weight: float = Field(1.0, ge=0, description="Factor on charged-current cross sections (no unit)")
    nc_weight: float = Field(1.0, ge=0, description="Factor on neutral-current cross sections (no unit)")
    qe_weight: float = Field(1.0, ge=0, description="Factor on quasi-elastic scattering (no unit)")
    res_weight: float = Field(1.0, ge=0, description="Factor on resonant scattering (no unit)")
    dis_weight: float = Field(1.0, ge=0, description="Factor on deeply inelastic scattering (no unit)")
    axial_mass: float = Field(
        1030.0,
        gt=0,
        description="Axial mass of quasi-elastic scattering (MeV); Bernard et al., J. Phys. G 28 (2002) R1",
    )
    resonance_axial_mass: float = Field(
        1120.0,
        gt=0,
        description="Axial mass of resonant scattering (MeV); Kuzmin et al., Acta Phys. Pol. B 37 (2006) 2337",
    )
    fermi_momentum: float = Field(
        251.0, ge=0, description="Fermi momentum (MeV/c); of calcium 40, Moniz et al., Phys. Rev. Lett. 26 (1971) 445"
    )
    removal_energy: float = Field(28.0, ge=0, description="Energy to free a nucleon (MeV); of calcium 40, as before")
    pion_absorption: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Share of pions absorbed by two nucleons on their way out of the nucleus (no unit)",
    )
    direction: Vector = Field((0.0, 0.0, 1.0), description="Direction of the beam (any length)")
    vertex_margin: float = Field(20.0, ge=0, description="Distance of vertices from the image faces (cm)")
    time: Span = Field((0.0, 0.0), description="Time of a vertex, uniform between these (us)")


class RainConfig(_Frozen):
    """Multi-particle rain: particles that start on their own, anywhere in the image; no neutrinos."""

    multiplicity: CountSpan = Field((1, 5), description="Number of particles per event, both ends included")
    species: tuple[SpeciesConfig, ...] = Field(
        default_factory=_default_species, min_length=1, description="Kinds of particles to choose from"
    )
    vertex_margin: float = Field(0.0, ge=0, description="Distance of starts from the image faces (cm)")
    time: Span = Field((0.0, 0.0), description="Time of a start, uniform between these (us)")


class CosmicsConfig(_Frozen):
    """Cosmic-ray muons that enter the argon through its faces from above."""

    multiplicity: CountSpan = Field((1, 3), description="Number of muons per event, both ends included")
    kinetic_energy: EnergySpan = Field((100.0, 20000.0), description="Range of the spectrum (MeV)")
    vertical: Literal["x", "y", "z"] = Field("y", description="Axis that points up")
    charge_ratio: float = Field(1.27, gt=0, description="Number of mu+ per mu- (no unit)")
    time: Span = Field((-1000.0, 1000.0), description="Arrival time, uniform between these (us)")


class ResponseConfig(_Frozen):
    """What becomes of deposited energy on its way to the image; every effect is off unless it is set.

    The image holds what is read out, the clusters of the truth hold deposited energy (MeV).
    """

    unit: Literal["MeV", "electrons"] = Field(
        "MeV",
        description="Unit of the image: collected electrons, or the energy (MeV) that a minimum-ionising particle "
        "needs to free as many; the loss on the drift is not made good",
    )
    recombination: Literal["box", "birks"] | None = Field(
        None, description="Model of recombination: modified box (ArgoNeuT, JINST 8 (2013) P08005), Birks (ICARUS), none"
    )
    field: float = Field(0.5, gt=0, description="Electric field (kV/cm)")
    ellipsoid: float = Field(
        1.0,
        gt=0,
        description="Dependence of the box model on the angle to the field, 1 for none, 1.25 in ICARUS (no unit); "
        "JINST 20 (2025) P01033",
    )
    lifetime: float | None = Field(
        None, gt=0, description="Lifetime of drifting electrons (us), null for no loss; some 3000 to 30000 in use"
    )
    drift_velocity: float = Field(
        0.16, gt=0, description="Drift velocity (cm/us); at 0.5 kV/cm and 87 K, Walkowiak, NIM A 449 (2000) 288"
    )
    drift_axis: Literal["x", "y", "z"] = Field("x", description="Axis of the drift, where no detector frames the image")
    anode: Literal["lower", "upper"] = Field(
        "upper", description="Face of the image that collects, where no detector frames it"
    )
    longitudinal_diffusion: float = Field(
        0.0,
        ge=0,
        description="Diffusion along the drift (cm2/s), 0 for none; 3.74 in MicroBooNE, JINST 16 (2021) P09025",
    )
    transverse_diffusion: float = Field(
        0.0,
        ge=0,
        description="Diffusion across the drift (cm2/s), 0 for none; about 13 at 0.5 kV/cm, NIM A 816 (2016) 160",
    )
    smearing: float = Field(0.0, ge=0, description="Relative spread of the gain of each voxel (no unit), 0 for none")
    noise: float = Field(
        0.0,
        ge=0,
        description="RMS of the noise of each voxel that holds charge (electrons), 0 for none; some 500 in use",
    )
    threshold: float = Field(0.0, ge=0, description="Least value of a voxel (unit of the image)")


class TransportConfig(_Frozen):
    """Options of Geant4."""

    default_cut: float = Field(
        0.03,
        gt=0,
        description="Range cut for secondaries (cm): shorter delta rays are not made; 0.003 makes fluctuations of "
        "dE/dx right within voxels of 3 mm, for half as much time again",
    )
    hadronic_model: Literal["FTFP_BERT", "QGSP_BERT"] = Field("FTFP_BERT", description="Geant4 hadronic physics list")
    geant4_data: Path | None = Field(
        None,
        description="Directory of the official Geant4 data; when not given, the environment variable "
        "GEANT4_DATA_DIR, and without it data computed for argon from published formulas",
    )


class LabelConfig(_Frozen):
    """Rules that turn Geant4 tracks into labelled particle instances."""

    low_energy_size: int = Field(
        10, ge=1, description="Detached shower pieces of fewer voxels are low-energy depositions"
    )
    delta_size: int = Field(
        5, ge=1, description="Voxels beyond those of its parent that make an ionisation electron a delta ray"
    )
    michel_energy: float = Field(
        1.0,
        ge=0,
        description="Least kinetic energy of the decay electron of a muon (MeV); Auger electrons of the "
        "muonic argon atom stay below 0.92 MeV",
    )
    label_le: bool = Field(
        False, description="Let the cluster label point at low-energy depositions too (else it is -1)"
    )


class GeneratorConfig(_Frozen):
    """What is shot, into which volume, and how it becomes voxels."""

    image: ImageConfig = Field(default_factory=ImageConfig, description="Voxels and argon volume")
    bomb: BombConfig | None = Field(default_factory=BombConfig, description="Particle bombs, null for none")
    gun: GunConfig | None = Field(None, description="Single particle, null for none")
    neutrino: NeutrinoConfig | None = Field(None, description="Neutrino interactions, null for none")
    rain: RainConfig | None = Field(None, description="Multi-particle rain, null for none")
    cosmics: CosmicsConfig | None = Field(default_factory=CosmicsConfig, description="Cosmics, null for none")
    response: ResponseConfig | None = Field(
        None, description="Response of the detector, null for an image of deposited energy (MeV)"
    )
    transport: TransportConfig = Field(default_factory=TransportConfig, description="Geant4 options")
    labels: LabelConfig = Field(default_factory=LabelConfig, description="Labelling rules")


class SimulationConfig(GeneratorConfig):
    """Everything that determines the simulated events."""

    seed: int = Field(0, ge=0, description="Seed of the whole sample; event n depends on it and on n only")
    n_events: int = Field(10, ge=0, description="Number of events")
