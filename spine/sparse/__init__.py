"""Sparse tensors and convolutions on plain torch, with MinkowskiEngine's semantics and parameter names.

>>> import torch
>>> from spine.sparse import Kernel, nn, sparse_tensor
>>> voxels = torch.tensor([[0, 5, 5, 5], [0, 5, 5, 6]])
>>> image = sparse_tensor(torch.ones(2, 1), voxels)
>>> nn.Convolution(1, 8, Kernel(2, stride=2))(image).tensor_stride
(2, 2, 2)
"""

from __future__ import annotations

from spine.sparse import nn
from spine.sparse.backends import use_backend
from spine.sparse.coordinates import MapKey, Pyramid
from spine.sparse.interpolation import features_at_coordinates
from spine.sparse.kernel import Kernel
from spine.sparse.structure import concatenate, prune, union
from spine.sparse.tensor import SparseTensor, sparse_tensor

__all__ = [
    "Kernel",
    "MapKey",
    "Pyramid",
    "SparseTensor",
    "concatenate",
    "features_at_coordinates",
    "nn",
    "prune",
    "sparse_tensor",
    "union",
    "use_backend",
]
