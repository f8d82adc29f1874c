"""Time and memory of sparse convolutions and of a U-ResNet on CPUs, beside matrix products of the same shapes.

    python -m benchmarks.sparse [--voxels 5000 20000 100000] [--threads 1 2] [--output benchmarks/results/sparse.json]

Each size and number of threads has a process of its own. Times are the least of some repetitions, with the matrix
products timed in between: seconds of the process with one thread, of the clock with several. ``fraction`` is the time
that the products alone would take at the rate of ``torch.mm`` on 256 rows, divided by the time it took.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spine.model.uresnet import LayerStyle, UResNet, UResNetSegmentation, UResNetShape, image_tensor
from spine.sparse import Kernel, SparseTensor
from spine.sparse import nn as snn
from spine.sparse.backends import load_backend

ROOT = Path(__file__).resolve().parents[1]
ROWS = 256
SHAPE = UResNetShape(32, 5, 2)


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


@dataclass
class Stopwatch:
    """Least times of functions, and the best rates of matrix products measured between them (GF/s, one thread)."""

    threads: int
    repeat: int
    rates: dict[tuple[int, int], float] = field(default_factory=dict)

    def least(self, function: Callable[[], object]) -> float:
        """Least time in seconds."""
        clock = time.process_time if self.threads == 1 else time.perf_counter
        times = []
        for _ in range(self.repeat):
            start = clock()
            function()
            times.append(clock() - start)
            for shape in self.rates:
                self.measure(*shape)
        return min(times)

    def rate(self, width_in: int, width_out: int) -> float:
        """Best rate so far."""
        for _ in range(0 if (width_in, width_out) in self.rates else 5):
            self.measure(width_in, width_out)
        return self.rates[width_in, width_out]

    def measure(self, width_in: int, width_out: int) -> None:
        """Multiply some times."""
        left, right, out = torch.randn(ROWS, width_in), torch.randn(width_in, width_out), torch.empty(ROWS, width_out)
        times = max(1, int(2e7 / left.numel() / width_out))
        torch.set_num_threads(1)
        start = time.thread_time()
        for _ in range(times):
            torch.mm(left, right, out=out)
        seconds = time.thread_time() - start
        torch.set_num_threads(self.threads)
        found = 2e-9 * times * left.numel() * width_out / seconds
        self.rates[width_in, width_out] = max(found, self.rates.get((width_in, width_out), 0.0))


def layers(table: Tensor, watch: Stopwatch) -> list[dict[str, float]]:
    """Convolutions at the levels of the network: forward and gradient of the weights."""
    engine, tensor, found = load_backend("numba"), image_tensor(table, SHAPE), []
    key, pyramid = tensor.key, tensor.pyramid
    for level, width in enumerate(SHAPE.planes):
        kernel_map = pyramid.kernel_map(key, key, Kernel(3))
        rows, work = kernel_map.n_in, 2e-9 * kernel_map.n_pairs * width**2
        x, g, w = torch.randn(rows, width), torch.randn(rows, width), torch.randn(27, width, width)
        product = watch.rate(width, width)
        ahead = watch.least(partial(engine.forward, x, w, kernel_map))
        back = watch.least(partial(engine.weight_gradient, x, g, kernel_map))
        found.append({
            "level": level, "rows": rows, "channels": width, "product_gflops": product,
            "forward_ms": 1e3 * ahead, "forward_gflops": work / ahead,
            "weights_ms": 1e3 * back, "weights_gflops": work / back,
        })  # fmt: skip
        key = pyramid.strided(key, (2, 2, 2))
    return found


class Observer:
    """Work of the convolutions and linear maps of a network, and their time by kind, in one evaluation."""

    def __init__(self, net: torch.nn.Module) -> None:
        self.shapes: dict[tuple[int, int], float] = defaultdict(float)
        self.seconds: dict[str, float] = defaultdict(float)
        self._start = 0.0
        kinds = (snn.Convolution, snn.Linear)
        hooks = [(m.register_forward_pre_hook(self._before), m.register_forward_hook(self._after))
                 for m in net.modules() if isinstance(m, kinds)]  # fmt: skip
        self.hooks = [hook for pair in hooks for hook in pair]

    def _before(self, *_: object) -> None:
        self._start = time.thread_time()

    def _after(self, layer: torch.nn.Module, inputs: tuple[SparseTensor], out: SparseTensor) -> None:
        seconds, into = time.thread_time() - self._start, inputs[0]
        if isinstance(layer, snn.Convolution):
            name = "up" if layer.transposed else "down" if max(layer.geometry.strides) > 1 else "convolution"
            ends = (out.key, into.key) if layer.transposed else (into.key, out.key)
            pairs = out.pyramid.kernel_map(*ends, layer.geometry).n_pairs
        else:
            name, pairs = "linear", len(into)
        self.seconds[name] += seconds
        self.shapes[into.shape[1], out.shape[1]] += 2e-9 * pairs * into.shape[1] * out.shape[1]


def network(table: Tensor, watch: Stopwatch) -> dict[str, Any]:
    """Evaluation and one training step of a U-ResNet (32 filters, depth 5, 2 repetitions)."""
    torch.manual_seed(0)
    style = LayerStyle(partial(snn.LeakyReLU, 0.33), partial(snn.BatchNorm, eps=1e-4, momentum=0.01))
    net = UResNetSegmentation(UResNet(SHAPE, style), 5)

    def evaluate() -> None:
        with torch.no_grad():
            net.eval()(image_tensor(table, SHAPE))

    def train() -> None:
        net.train().zero_grad()
        torch.autograd.backward(net(image_tensor(table, SHAPE)).logits.features.square().mean())

    before = resident_mb()
    evaluate()
    memory = {"evaluation_mb": peak_mb() - before}
    train()
    memory["training_mb"] = peak_mb() - before
    observer = Observer(net)
    start = time.thread_time()
    evaluate()
    whole = time.thread_time() - start
    for hook in observer.hooks:
        hook.remove()
    for shape in observer.shapes:
        watch.rate(*shape)
    times = {"evaluation": watch.least(evaluate), "training": watch.least(train)}
    limit = sum(work / watch.rate(*shape) for shape, work in observer.shapes.items()) / watch.threads
    kinds = {name: 1e3 * seconds for name, seconds in observer.seconds.items()}
    kinds["rest"] = 1e3 * whole - sum(kinds.values())
    return {
        "evaluation_s": times["evaluation"], "training_s": times["training"],
        "gflop": sum(observer.shapes.values()), "limit_s": limit,
        "evaluation_fraction": limit / times["evaluation"], "training_fraction": 3 * limit / times["training"],
        **memory, "evaluation_ms_by_kind": kinds,
    }  # fmt: skip


def peak_mb() -> float:
    """Largest memory of this process so far (MB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def resident_mb() -> float:
    """Memory of this process now (MB)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2.0**20


def measure(voxels: int, threads: int, repeat: int) -> dict[str, Any]:
    """All figures of one size, in this process."""
    torch.set_num_threads(threads)
    table, watch = image(voxels), Stopwatch(threads, repeat)
    return {"voxels": voxels, "threads": threads, "network": network(table, watch), "layers": layers(table, watch)}


def apart(*arguments: str) -> Any:
    """What a process of its own measures."""
    environment = os.environ | {"OMP_NUM_THREADS": arguments[1], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.sparse", "--one", *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxels", type=int, nargs="+", default=[5_000, 20_000, 100_000])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "sparse.json")
    parser.add_argument("--one", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        sys.stdout.write(json.dumps(measure(*options.one)))
        return
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "torch": torch.__version__}
    runs = [apart(str(n), str(t), str(options.repeat)) for n in options.voxels for t in options.threads]
    options.output.write_text(json.dumps({"machine": machine, "runs": runs}, indent=2) + "\n")
    for run in runs:
        net = run["network"]
        sys.stdout.write(f"{run['voxels']} voxels, {run['threads']} threads: " + ", ".join(
            f"{name} {value:.3g}" for name, value in net.items() if isinstance(value, float)) + "\n")  # fmt: skip


if __name__ == "__main__":
    main()
