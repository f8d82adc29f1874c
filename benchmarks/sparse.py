"""Time sparse convolutions and a U-ResNet: ``python benchmarks/sparse.py 20000 --backend numba --repeat 5``.

Prints the least process time over the repetitions (all threads together, so that other users of the machine count
little), and the rate on the pairs that really exist.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from spine.model.uresnet import LayerStyle, UResNet, UResNetSegmentation, UResNetShape, image_tensor
from spine.sparse import Kernel, SparseTensor, use_backend
from spine.sparse import nn as snn
from spine.sparse.backends import load_backend


def image(voxels: int, extent: int = 768, seed: int = 0) -> Tensor:
    """(N, 5) voxels of smeared random walks, thick and thin, in random order."""
    random = np.random.default_rng(seed)
    keys = np.empty(0, np.int64)
    while len(keys) < voxels:
        steps = int(random.integers(30, 900))
        turns = random.normal(0, random.choice([0.02, 0.2]), (steps, 3))
        direction = random.normal(size=3) + np.cumsum(turns, 0)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        path = random.uniform(0.1, 0.9, 3) * extent + 0.6 * np.cumsum(direction, 0)
        points = (path[None] + random.normal(0, 0.55, (3, steps, 3))).reshape(-1, 3)
        place = np.floor(points[((points >= 0) & (points < extent)).all(1)]).astype(np.int64)
        keys = np.union1d(keys, (place[:, 0] * extent + place[:, 1]) * extent + place[:, 2])
    keys = random.permutation(keys[:voxels])
    place = np.stack([0 * keys, keys // extent**2, keys // extent % extent, keys % extent], 1)
    return torch.from_numpy(np.concatenate([place, random.gamma(2, 0.1, (len(keys), 1))], 1).astype(np.float32))


def least(function: Callable[[], object], repeat: int) -> float:
    """Least process time in seconds."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def layers(table: Tensor, backend: str, repeat: int) -> None:
    """Convolutions of the levels of the network, forward and gradient of the weights."""
    engine = load_backend(backend)
    tensor = image_tensor(table, UResNetShape(32, 5, 2))
    key, pyramid = tensor.key, tensor.pyramid
    for level in range(5):
        width = 32 * (level + 1)
        kernel_map = pyramid.kernel_map(key, key, Kernel(3))
        rows, work = kernel_map.n_in, 2 * kernel_map.n_pairs * width**2 / 1e9
        x, g, w = torch.randn(rows, width), torch.randn(rows, width), torch.randn(27, width, width)
        ahead = least(partial(engine.forward, x, w, kernel_map), repeat)
        back = least(partial(engine.weight_gradient, x, g, kernel_map), repeat)
        report = (
            f"{ahead * 1e3:8.2f} ms {work / ahead:5.1f} GF/s   weights {back * 1e3:8.2f} ms {work / back:5.1f} GF/s"
        )
        sys.stdout.write(f"level {level}: {rows:7d} rows, {width:3d} channels   forward {report}\n")
        key = pyramid.strided(key, (2, 2, 2))


def network(table: Tensor, repeat: int) -> None:
    """Evaluation and one training step of a U-ResNet (filters 32, depth 5, 2 repetitions)."""
    torch.manual_seed(0)
    style = LayerStyle(partial(snn.LeakyReLU, 0.33), partial(snn.BatchNorm, eps=1e-4, momentum=0.01))
    shape = UResNetShape(32, 5, 2)
    net = UResNetSegmentation(UResNet(shape, style), 5)

    def evaluate() -> SparseTensor:
        with torch.no_grad():
            logits: SparseTensor = net.eval()(image_tensor(table, shape)).logits
            return logits

    def train() -> None:
        net.train().zero_grad()
        torch.autograd.backward(net(image_tensor(table, shape)).logits.features.square().mean())

    evaluate()
    train()
    sys.stdout.write(f"network: evaluation {least(evaluate, repeat):.3f} s, training {least(train, repeat):.3f} s\n")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voxels", type=int, nargs="?", default=20000)
    parser.add_argument("--backend", default="numba", choices=["torch", "numba", "triton"])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    table = image(options.voxels)
    with use_backend(options.backend):
        layers(table, options.backend, options.repeat)
        network(table, options.repeat)


if __name__ == "__main__":
    main()
