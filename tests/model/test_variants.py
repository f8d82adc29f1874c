"""SPICE, image networks and networks that say how sure they are: SPINE's names, clusters and losses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from spine.errors import ConfigError
from spine.model.bayes import BayesianLossConfig, BayesianUResNetConfig, build_bayesian, build_bayesian_loss
from spine.model.evidential_loss import EvidentialLoss
from spine.model.grappa.truth import EventTruth, GraphTruth
from spine.model.image import ImageLossOptions, ImageOutput, ImageTruth, build_image_loss
from spine.model.networks import make_networks
from spine.model.spice import SpiceLossConfig, SpiceOutput, build_spice_loss
from spine.model.spice.clustering import Embedded, Limits, cluster_embeddings
from spine.model.uresnet import image_tensor
from spine.model.uresnet_loss import SegmentationLoss
from spine.schema import Ragged, Table, Tensor
from spine.schema.truth_records import ParticleLabel

DATA = Path(__file__).parent / "data"
VARIANTS: dict[str, Any] = yaml.safe_load((DATA / "variants.yaml").read_text())
NAMES: dict[str, Any] = json.loads((DATA / "variant_names.json").read_text())
NUMBERS: dict[str, dict[str, float]] = json.loads((DATA / "variant_losses.json").read_text())
ARRAYS = np.load(DATA / "variant_losses.npz")
LIMITS = {
    "plain": [Limits(), Limits()],
    "strict": [Limits(0.4, 0.3, 4), Limits(0.4, 0.7, 4)],
    "rest": [Limits(0.6, assign_all=False)] * 2,
    "all": [Limits(0.6)] * 2,
}
EVENTS = np.repeat([0, 1], [150, 110])


def leaf(name: str, rows: slice = slice(None)) -> torch.Tensor:
    return torch.from_numpy(ARRAYS[name][rows]).requires_grad_()


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_have_the_names_and_shapes_of_spine(name: str) -> None:
    state = make_networks({name: VARIANTS[name]})[name].state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == NAMES[name]


@pytest.mark.parametrize("name", LIMITS)
def test_clusters_from_embeddings(name: str) -> None:
    columns = (ARRAYS["emb"], ARRAYS["mar"][:, 0], ARRAYS["see"][:, 0])
    labels = np.full(len(EVENTS), -1, dtype=np.int64)
    shapes: list[int] = []
    for event in (0, 1):
        for shape in (0, 1):
            rows = np.flatnonzero((event == EVENTS) & (ARRAYS["shapes"] == shape))
            found = cluster_embeddings(Embedded(*(column[rows] for column in columns)), LIMITS[name][shape])
            labels[rows] = np.where(found >= 0, found + len(shapes), -1)
            shapes += [shape] * (int(found.max(initial=-1)) + 1)
    assert np.array_equal(labels, ARRAYS[f"clusters/{name}"])
    assert np.array_equal(shapes, ARRAYS[f"shapes/{name}"])


OTHER = {
    "mask_loss": "mse", "seed_loss": {"name": "huber"}, "embedding_weight": 2.0, "seediness_weight": 0.5,
    "smoothing_weight": 3.0, "inter_weight": 0.25, "inter_margin": 0.5, "min_voxels": 60,
}  # fmt: skip


@pytest.mark.parametrize(("name", "options"), [("plain", {}), ("other", OTHER)])
def test_loss_of_spice(name: str, options: dict[str, Any]) -> None:
    parts = [leaf("emb"), leaf("mar"), leaf("see")]
    output = SpiceOutput(torch.arange(len(EVENTS)), torch.from_numpy(EVENTS), *parts)
    labels, shapes = (torch.from_numpy(ARRAYS[key].astype(np.int64)) for key in ("label", "tshape"))
    score = build_spice_loss(SpiceLossConfig(**options))(output, labels, shapes)
    score.loss.backward()
    found = score.flat() | {
        f"g_{key}": float(p.grad.norm()) for key, p in zip(("emb", "mar", "see"), parts, strict=True)
    }
    for key, value in NUMBERS[f"spice/{name}"].items():
        assert found[key] == pytest.approx(value, rel=1e-4, abs=1e-6), key


def test_loss_of_spice_without_labels() -> None:
    output = SpiceOutput(torch.arange(260), torch.from_numpy(EVENTS), leaf("emb"), leaf("mar"), leaf("see"))
    nothing = torch.full((260,), -1)
    score = build_spice_loss(SpiceLossConfig())(output, nothing, nothing)
    score.loss.backward()
    assert (float(score.loss.detach()), score.accuracy, score.details["count"]) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("name", ["edl_sumsq", "edl_digamma", "edl_nll"])
@pytest.mark.parametrize("step", [0, 20_000, 80_000])
@pytest.mark.parametrize("balance", [False, True])
def test_loss_of_evidence(name: Any, step: int, balance: bool) -> None:
    evidence, labels = leaf("evidence"), torch.from_numpy(ARRAYS["evidence_label"].astype(np.int64))
    function = EvidentialLoss(name)
    function.step = step
    score = SegmentationLoss(5, function, balance)(evidence, labels)
    score.loss.backward()
    assert evidence.grad is not None
    found = score.flat() | {"g": float(evidence.grad.norm())}
    for key, value in NUMBERS[f"bayes/{name}/{step}/{balance}"].items():
        assert found[key] == pytest.approx(value, rel=1e-4, abs=1e-6), key


def test_losses_go_with_modes() -> None:
    unit = {"reps": 1, "depth": 2, "filters": 2, "num_classes": 3}
    evidential = build_bayesian(BayesianUResNetConfig(**unit, mode="evd"))
    assert build_bayesian_loss(BayesianLossConfig(), evidential).loss.name == "edl_sumsq"
    with pytest.raises(ValueError, match="evidence needs"):
        build_bayesian_loss(BayesianLossConfig(loss="ce"), evidential)
    plain = build_bayesian(BayesianUResNetConfig(**unit))
    with pytest.raises(ValueError, match="mode evidential"):
        build_bayesian_loss(BayesianLossConfig(loss="edl_nll"), plain)


CASES: dict[str, dict[str, Any]] = {
    "plain": {
        "pid": {"name": "class", "target": "pid"},
        "primary": {"name": "class", "target": "interaction_primary", "balance_loss": True, "weight": 2.0},
        "energy": {"provider": "regression", "config": {"target": "momentum", "loss": "huber"}},
    },
    "quality": {
        "pid": {"name": "class", "target": "pid", "min_purity": 0.7, "class_weights": [1.0, 2.0, 0.5, 1.0, 3.0, 1.0]},
        "primary": {
            "name": "class", "target": "interaction_primary", "min_iou": [0.5, 0.6], "match_target": "particle",
        },
        "energy": {
            "name": "reg", "target": "momentum", "loss": "l1", "min_efficiency": [0.7] * 6, "quality_num_classes": 6,
            "match_target": "particle", "weight": 0.1,
        },
    },
    "ancestor": {
        "pid": {"name": "class", "target": "pid", "target_reduction": "ancestor"},
        "primary": {"name": "class", "target": "interaction_primary"},
        "energy": {"name": "reg", "target": "kinetic_energy", "target_reduction": "ancestor", "loss": "mse"},
    },
}  # fmt: skip


def labelled(owners: str) -> GraphTruth:
    """Truth of the frozen objects."""
    own = ARRAYS["own"].astype(np.float32)
    coords = np.column_stack([np.arange(len(own)), np.zeros((len(own), 2))]).astype(np.int32)
    columns = {key[6:]: ARRAYS[key] for key in ARRAYS.files if key.startswith("table/")}
    features = np.column_stack([np.ones(len(own)), own, own]).astype(np.float32)
    table = Table(ParticleLabel, 14, columns)
    clusters = Tensor(coords, features, ("value", "cluster", "particle_index"), table)
    _, place = np.unique(ARRAYS[owners], return_inverse=True)
    truth = EventTruth(coords, np.arange(len(own)), clusters)
    return GraphTruth([truth], [Ragged.by_label(place, int(place.max()) + 1)])


@pytest.mark.parametrize("name", CASES)
def test_losses_of_images(name: str) -> None:
    truth = labelled("obj2" if name == "ancestor" else "obj")
    count = len(truth.owners)
    predictions = {task: leaf(f"pred/{task}", slice(0, count)) for task in ("pid", "primary", "energy")}
    options = ImageLossOptions.model_validate(CASES[name])
    loss = build_image_loss(options, tuple(predictions))
    labels = {task: ImageTruth.of(truth, one) for task, one in options.tasks.items()}
    score = loss(ImageOutput(predictions, torch.empty(0)), labels)
    score.loss.backward()
    found = score.flat() | {f"g_{task}": float(p.grad.norm()) for task, p in predictions.items() if p.grad is not None}
    tolerance = 2e-3 if name == "ancestor" else 1e-5  # the mass of the electron
    for key, value in NUMBERS[f"image/{name}"].items():
        assert found[key] == pytest.approx(value, rel=tolerance, abs=1e-6), key


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigError, match="each head needs its loss"):
        build_image_loss(ImageLossOptions.model_validate({"pid": CASES["plain"]["pid"]}), ("pid", "primary"))
    with pytest.raises(ConfigError, match="no encoder of point clouds"):
        make_networks({"image": {"encoder": {"name": "pointnet"}, "heads": {"pid": 5}}})
    for block, message in (
        ({**VARIANTS["spice"], "shapes": [0], "skip_classes": [1]}, "not both"),
        ({**VARIANTS["spice"], "coord_conv": False}, "the network is given 1"),
        ({**VARIANTS["spice"], "clusterer": {"seed_threshold": [0.1]}}, "one for each of the 2 shapes"),
    ):
        with pytest.raises(ConfigError, match=message):
            make_networks({"spice": block})
    with pytest.raises(ConfigError, match="dropout_layers must be from 0 to 3"):
        make_networks({"uresnet_bayes": {**VARIANTS["uresnet_bayes"], "dropout_layers": [4]}})


def test_passes_with_dropout_have_a_mean() -> None:
    torch.manual_seed(2)
    network = make_networks({"uresnet_bayes": VARIANTS["uresnet_bayes_dropout"]})["uresnet_bayes"].eval()
    rows = np.unique(np.random.default_rng(1).integers(0, 8, (80, 3)), axis=0)
    table = torch.from_numpy(np.column_stack([np.zeros(len(rows)), rows, np.ones(len(rows))])).float()
    with torch.no_grad():
        image = image_tensor(table, network.shape)
        out, again = network(image), network(image)
        network.mode, before = "standard", network.training
        passes = []
        with network._dropping():
            for _ in range(60):
                passes.append(torch.softmax(network(image).logits.features, dim=1))
        plain = network(image).logits.features
        assert torch.equal(plain, network(image).logits.features)
    assert network.training == before is False
    softmax = out.certainty["softmax"].features
    assert not torch.equal(softmax, again.certainty["softmax"].features)
    torch.testing.assert_close(softmax.sum(dim=1), torch.ones(len(rows)))
    mean, spread = torch.stack(passes).mean(0), torch.stack(passes).std(0)
    assert ((softmax - mean).abs() <= 5 * spread * (1 / 20 + 1 / 60) ** 0.5 + 1e-6).all()
