"""The U-ResNet and the point proposal decoder once more, on dense grids with torch's own convolutions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Weights = dict[str, Tensor]
SLOPE, EXTENT = 0.33, 16


class DenseNet:
    """Evaluates a network from its parameters alone, with a mask of the voxels that exist at every resolution."""

    def __init__(self, weights: Weights, coordinates: Tensor, features: Tensor) -> None:
        self.weights = weights
        batch = int(coordinates[:, 0].max()) + 1
        grid = features.new_zeros(batch, EXTENT, EXTENT, EXTENT, features.shape[1])
        index = tuple(coordinates.long().T)
        grid[index] = features
        mask = torch.zeros(grid.shape[:-1], dtype=features.dtype)
        mask[index] = 1
        self.image = grid.movedim(-1, 1)
        self.masks = [mask[:, None]]
        while self.masks[-1].shape[-1] > 1:
            self.masks.append(functional.max_pool3d(self.masks[-1], 2))

    def level(self, x: Tensor) -> Tensor:
        """Mask at the resolution of a grid."""
        return next(mask for mask in self.masks if mask.shape[-1] == x.shape[-1])

    def kernel(self, name: str) -> Tensor:
        """Weights as (in, out, x, y, z) from the sparse (offset, in, out), first axis fastest."""
        kernel = self.weights[name + ".kernel"]
        size = round(kernel.shape[0] ** (1 / 3))
        return kernel.view(size, size, size, *kernel.shape[1:]).permute(3, 4, 2, 1, 0)

    def convolve(self, name: str, x: Tensor) -> Tensor:
        return functional.conv3d(x, self.kernel(name).transpose(0, 1), padding=1) * self.level(x)

    def down(self, name: str, x: Tensor) -> Tensor:
        y = functional.conv3d(self.activate(name + ".0", x), self.kernel(name + ".2").transpose(0, 1), stride=2)
        return y * self.level(y)

    def up(self, name: str, x: Tensor) -> Tensor:
        y = functional.conv_transpose3d(self.activate(name + ".0", x), self.kernel(name + ".2"), stride=2)
        return y * self.level(y)

    def activate(self, name: str, x: Tensor) -> Tensor:
        eps = 1e-5 if name.startswith("ppn") else 1e-4
        mean, variance, weight, bias = (
            self.weights[f"{name}.bn.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        )
        y = functional.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)
        return functional.leaky_relu(y, SLOPE) * self.level(x)

    def linear(self, name: str, x: Tensor) -> Tensor:
        bias = self.weights.get(name + ".linear.bias")
        y = functional.linear(x.movedim(1, -1), self.weights[name + ".linear.weight"], bias)
        return y.movedim(-1, 1) * self.level(x)

    def block(self, name: str, x: Tensor) -> Tensor:
        y = self.convolve(name + ".conv1", self.activate(name + ".norm1", x))
        y = self.convolve(name + ".conv2", self.activate(name + ".norm2", y))
        wider = name + ".residual.linear.weight" in self.weights
        return y + (self.linear(name + ".residual", x) if wider else x)

    def blocks(self, name: str, x: Tensor) -> Tensor:
        for i in range(2):
            x = self.block(f"{name}.{i}", x)
        return x

    def encode(self, depth: int) -> list[Tensor]:
        x, maps = self.convolve("uresnet.backbone.encoder.input_layer", self.image), []
        for level in range(depth):
            x = self.blocks(f"uresnet.backbone.encoder.encoding_block.{level}", x)
            maps.append(x)
            if level < depth - 1:
                x = self.down(f"uresnet.backbone.encoder.encoding_conv.{level}", x)
        return maps

    def decode(self, maps: list[Tensor]) -> list[Tensor]:
        x, out = maps[-1], []
        for i, skip in enumerate(maps[-2::-1]):
            x = self.up(f"uresnet.backbone.decoder.decoding_conv.{i}", x)
            x = self.blocks(f"uresnet.backbone.decoder.decoding_block.{i}", torch.cat([skip, x], 1))
            out.append(x)
        return out

    def classes(self, x: Tensor, name: str = "linear_segmentation") -> Tensor:
        return self.linear("uresnet." + name, self.activate("uresnet.output.0", x))

    def ghost_mask(self, x: Tensor) -> list[Tensor]:
        """Masks of voxels that are no ghosts, fine to coarse."""
        logits = self.classes(x, "linear_ghost")
        keep = (logits[:, :1] >= logits[:, 1:]).to(x.dtype) * self.masks[0]
        masks = [keep]
        while masks[-1].shape[-1] > 1:
            masks.append(functional.max_pool3d(masks[-1], 2))
        return masks

    def points(self, deepest: Tensor, maps: list[Tensor], ghost: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Raw points and mask logits; with a ghost mask the voxels are fewer and the joined features change sides."""
        if ghost:
            self.masks, everywhere = self.ghost_mask(maps[-1]), self.masks
        x, layers = deepest, []
        for i, skip in enumerate(maps):
            if ghost:
                kept, self.masks = self.masks, everywhere
                x = self.up(f"ppn.decoding_conv.{i}", x)
                self.masks = kept
                x = torch.cat([x, skip], 1) * self.level(x)
            else:
                x = torch.cat([skip, self.up(f"ppn.decoding_conv.{i}", x)], 1)
            x = self.blocks(f"ppn.decoding_block.{i}", x)
            layers.append(self.linear(f"ppn.ppn_masks.{i}", x))
            x = x * torch.softmax(layers[-1], 1)[:, 1:]
        x = self.block("ppn.final_block", x)
        heads = [self.linear("ppn.ppn_pixel_pos", x), self.linear("ppn.ppn_type", x), layers[-1]]
        return torch.cat(heads, 1), layers
