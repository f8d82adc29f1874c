"""The Triton kernels in their interpreter against the reference, in a process of their own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

PROGRAM = """
import torch
from spine.sparse import Kernel, sparse_tensor
from spine.sparse.backends import load_backend

torch.manual_seed(0)
sites = torch.unique(torch.randint(0, 4, (90, 4)), dim=0)
tensor = sparse_tensor(torch.zeros(len(sites), 1), sites)
torch_, triton_ = load_backend("torch"), load_backend("triton")
for kernel in (Kernel((3, 1, 3)), Kernel(2, stride=2)):
    out = tensor.pyramid.strided(tensor.key, kernel.strides)
    pairs = tensor.pyramid.kernel_map(tensor.key, out, kernel)
    for pairs in (pairs, pairs.transposed):
        for ci, co in ((1, 32), (40, 24)):
            x, g = torch.randn(pairs.n_in, ci), torch.randn(pairs.n_out, co)
            w = torch.randn(kernel.volume, ci, co)
            one, other = (b.forward(x, w, pairs) for b in (torch_, triton_))
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
            one, other = (b.weight_gradient(x, g, pairs) for b in (torch_, triton_))
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
empty = sparse_tensor(torch.zeros(0, 3), torch.zeros(0, 4))
pairs = empty.pyramid.kernel_map(empty.key, empty.key, Kernel(3))
assert triton_.forward(empty.features, torch.randn(27, 3, 5), pairs).shape == (0, 5)
assert triton_.weight_gradient(empty.features, torch.zeros(0, 5), pairs).shape == (27, 3, 5)
print("agree")
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_triton_kernels_agree_with_the_reference() -> None:
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert run.stdout == "agree\n", run.stderr
