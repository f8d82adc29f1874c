"""Fragments from SPICE."""

from __future__ import annotations

import numpy as np
import torch

from spine.model.chain.formation import Fragments
from spine.model.chain.provider import Networks, provider
from spine.model.chain.rows import image_of, voxel_order
from spine.model.providers import network_of, voxel_table
from spine.model.spice.clustering import Embedded, Limits, cluster_embeddings
from spine.model.spice.network import Spice, SpiceOutput
from spine.schema import Block, Event, Ragged
from spine.steps.step import StepConfig

__all__ = ["SpiceFragmentation", "spice"]


class SpiceFragmentation(StepConfig):
    """No options: those of the network decide."""


@provider(
    "fragmentation", "spice", requires=("data", "seg_pred"), provides=("fragment_clusts", "fragment_shapes"),
    per="block",
)  # fmt: skip
def spice(block: Block, cfg: SpiceFragmentation, networks: Networks) -> list[Fragments]:
    """Gaussian masks in the learnt space, class by class, in the order in which they are found."""
    del cfg
    network: Spice = network_of(networks, Spice, "spice")
    events = list(block)
    classes = np.concatenate([np.empty(0, np.int64), *(np.asarray(e["seg_pred"], np.int64) for e in events)])
    table = voxel_table(events, 1, network)
    with torch.no_grad():
        out = network(table, torch.from_numpy(classes).to(table.device), batch_size=len(events))
    first = np.cumsum([0, *(len(image_of(event)) for event in events)])
    return [_fragments(network, out, event, int(first[i]), i) for i, event in enumerate(events)]


def _fragments(network: Spice, out: SpiceOutput, event: Event, first: int, number: int) -> Fragments:
    """Fragments of one event, whose voxels start at a row of the table."""
    mine = torch.nonzero(out.batch == number).squeeze(1)
    rows = (out.rows[mine] - first).cpu().numpy()
    columns = [t[mine].float().cpu().numpy() for t in (out.embeddings, out.margins, out.seediness)]
    classes = np.asarray(event["seg_pred"], dtype=np.int64)[rows]
    order = voxel_order(image_of(event).coords[rows])
    labels = np.full(len(image_of(event)), -1, dtype=np.int64)
    shapes: list[int] = []
    for k, shape in enumerate(network.shapes):
        chosen = order[classes[order] == shape]
        voxels = Embedded(columns[0][chosen], columns[1][chosen, 0], columns[2][chosen, 0])
        found = cluster_embeddings(voxels, _limits(network, k))
        labels[rows[chosen]] = np.where(found >= 0, found + len(shapes), -1)
        shapes += [int(shape)] * (int(found.max(initial=-1)) + 1)
    return Fragments(Ragged.by_label(labels, len(shapes)), np.array(shapes, dtype=np.int64))


def _limits(network: Spice, k: int) -> Limits:
    options = network.clusterer
    seed, probability = (
        options.of(name, network.shapes, k) for name in ("seed_threshold", "probability_threshold")
    )  # fmt: skip
    return Limits(seed, probability, options.min_size, options.assign_all, options.eps)
