"""Networks from the ``modules`` block of a configuration, with their weights."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from pydantic import Field, ValidationError
from torch import nn

from spine.errors import ConfigError, did_you_mean
from spine.model.bayes import BayesianUResNetConfig, build_bayesian
from spine.model.graph_spice import GraphSpice, GraphSpiceConfig, build_graph_spice
from spine.model.layer_config import UResNetConfig, build_uresnet, layer_style, uresnet_shape
from spine.model.ppn import PPN, ProposalTask, UResNetPPN, VertexPPN
from spine.model.uresnet import UResNetSegmentation
from spine.model.weights import Loaded, WeightSource, freeze, load_weights
from spine.steps.step import StepConfig

__all__ = [
    "BUILDERS",
    "OPTIONS",
    "Modules",
    "PPNConfig",
    "SegmentationConfig",
    "UResNetPPNConfig",
    "VertexConfig",
    "build_networks",
    "build_segmentation",
    "build_uresnet_ppn",
    "fill_networks",
    "make_networks",
    "network_names",
    "weight_sources",
]

logger = logging.getLogger(__name__)

Modules: TypeAlias = Mapping[str, object]
"""The ``modules`` block: options of each network by its name."""
Options = TypeVar("Options", bound=StepConfig)
MANAGED = ("weight_path", "model_name", "freeze_weights")
"""Keys of a block that say where its weights come from and whether they stay."""


class SegmentationConfig(UResNetConfig):
    """Options of the semantic segmentation."""

    num_classes: int = Field(ge=1, description="Number of classes")
    ghost: bool = Field(False, description="Tell ghosts from true voxels too")


class PPNConfig(StepConfig):
    """Options of the point proposal."""

    mask_score_threshold: float = Field(0.5, ge=0, le=1, description="Probability above which a voxel is near a point")
    classify_endpoints: bool = Field(False, description="Tell starts of tracks from ends")
    propagate_all: bool = Field(False, description="Let all features pass from one resolution to the next")
    use_binary_mask: bool = Field(False, description="Let features pass or not, instead of scaling them")
    use_true_ghost_mask: bool = Field(False, description="Has no effect: the caller gives the mask")


class VertexConfig(StepConfig):
    """Options of the proposal of interaction vertices."""

    mask_score_threshold: float = Field(0.5, ge=0, le=1, description="Probability above which a voxel is near a vertex")


class DecoderConfig(StepConfig):
    """Options of the proposal decoders."""

    shared: bool = Field(False, description="One decoder for points and vertices")


class UResNetPPNConfig(StepConfig):
    """Options of segmentation with point proposal."""

    uresnet: SegmentationConfig = Field(description="Segmentation")
    ppn: PPNConfig | None = Field(None, description="Starts and ends of particles")
    vertex: VertexConfig | None = Field(None, description="Interaction vertices")
    proposal_decoder: DecoderConfig = Field(DecoderConfig(), description="Decoders")


def build_segmentation(cfg: SegmentationConfig) -> UResNetSegmentation:
    """Segmentation with random weights."""
    return UResNetSegmentation(build_uresnet(cfg), cfg.num_classes, cfg.ghost)


def build_uresnet_ppn(cfg: UResNetPPNConfig) -> UResNetPPN:
    """Segmentation and point proposal with random weights.

    Raises
    ------
    ConfigError
        When there is nothing to propose, or a shared decoder with one task only.
    """
    shared = cfg.proposal_decoder.shared
    if shared and (cfg.ppn is None or cfg.vertex is None):
        raise ConfigError("a shared decoder needs both ppn and vertex", where="proposal_decoder.shared")
    shape, style = uresnet_shape(cfg.uresnet), layer_style(cfg.uresnet)
    own = None
    if cfg.vertex is not None and not shared:
        own = VertexPPN(shape, style, cfg.vertex.mask_score_threshold)
    ppn = None
    if cfg.ppn is not None:
        task = ProposalTask("ppn_masks", cfg.ppn.mask_score_threshold, cfg.ppn.propagate_all, cfg.ppn.use_binary_mask)
        other = ProposalTask("vertex_pred", cfg.vertex.mask_score_threshold) if cfg.vertex and shared else None
        ppn = PPN(shape, style, cfg.uresnet.num_classes, task, cfg.ppn.classify_endpoints, other)
    return UResNetPPN(build_segmentation(cfg.uresnet), ppn, own)


def _segmentation(options: Mapping[str, object], name: str) -> nn.Module:
    return build_segmentation(_validated(SegmentationConfig, options, name))


def _uresnet_ppn(options: Mapping[str, object], name: str) -> nn.Module:
    return build_uresnet_ppn(_validated(UResNetPPNConfig, options, name))


def _graph_spice(options: Mapping[str, object], name: str) -> GraphSpice:
    return build_graph_spice(_validated(GraphSpiceConfig, options, name))


def _bayesian(options: Mapping[str, object], name: str) -> nn.Module:
    return build_bayesian(_validated(BayesianUResNetConfig, options, name))


BUILDERS: dict[str, str] = {
    "uresnet": f"{__name__}:_segmentation",
    "uresnet_ppn": f"{__name__}:_uresnet_ppn",
    "uresnet_bayes": f"{__name__}:_bayesian",
    "graph_spice": f"{__name__}:_graph_spice",
    "grappa": "spine.model.grappa:build_from_options",
    "spice": "spine.model.spice:build_from_options",
    "image": "spine.model.image:build_from_options",
}
"""What builds the networks whose names start so, ``module:attribute``; takes options and name. Imported when used."""


OPTIONS: dict[str, str] = {
    "uresnet": f"{__name__}:SegmentationConfig",
    "uresnet_ppn": f"{__name__}:UResNetPPNConfig",
    "uresnet_bayes": "spine.model.bayes:BayesianUResNetConfig",
    "graph_spice": "spine.model.graph_spice:GraphSpiceConfig",
    "spice": "spine.model.spice:SpiceConfig",
    "grappa": "spine.model.grappa.options:GrapPAOptions",
    "image": "spine.model.image:ImageOptions",
}
"""Options of these networks, ``module:attribute``."""


def _validated(kind: type[Options], options: Mapping[str, object], name: str) -> Options:
    try:
        return kind.model_validate(dict(options))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError(f"options of network {name!r}: " + "; ".join(lines), where=f"model.modules.{name}") from error


def network_names(modules: Modules) -> tuple[str, ...]:
    """Names of the blocks that describe networks: not the chain, not the losses."""
    return tuple(n for n in modules if n not in ("chain", "loss_balancing") and not n.endswith("_loss"))


def _builder(name: str) -> Callable[[Mapping[str, object], str], nn.Module]:
    prefixes = [prefix for prefix in BUILDERS if name.startswith(prefix)]
    if not prefixes:
        raise ConfigError(f"no network is called {name!r}", where="model.modules", mend=did_you_mean(name, BUILDERS))
    module, _, attribute = BUILDERS[max(prefixes, key=len)].partition(":")
    build: Callable[[Mapping[str, object], str], nn.Module] = getattr(importlib.import_module(module), attribute)
    return build


def _block(modules: Modules, name: str) -> Mapping[str, object]:
    block = modules[name]
    if not isinstance(block, Mapping):
        raise ConfigError("a network needs a block of options", where=f"model.modules.{name}", got=block)
    return block


def _plain(block: Mapping[str, object]) -> dict[str, object]:
    """A block without the keys about its weights, at all depths."""
    kept = {key: value for key, value in block.items() if key not in MANAGED}
    return {key: _plain(value) if isinstance(value, Mapping) else value for key, value in kept.items()}


def make_networks(modules: Modules) -> dict[str, nn.Module]:
    """Networks of a ``modules`` block by name, with random weights.

    Raises
    ------
    ConfigError
        When a name or an option is unknown, or a value is wrong.
    """
    return {name: _builder(name)(_plain(_block(modules, name)), name) for name in network_names(modules)}


def build_networks(modules: Modules, weight_path: str | None = None, trained: bool = True) -> dict[str, nn.Module]:
    """Networks with their weights, in evaluation mode.

    Parameters
    ----------
    modules : mapping
        The ``modules`` block. In the block of a network or of a part of it, ``weight_path`` gives its own weights,
        ``model_name`` their name in that file, and ``freeze_weights`` keeps them from being trained.
    weight_path : str, optional
        Weights of all networks; path or URL, see `spine.model.checkpoint.locate_weights`.
    trained : bool
        Whether networks without weights are an error.

    Raises
    ------
    ConfigError
        When a name or an option is unknown, a value is wrong, or weights are missing altogether.
    DataError
        When a file of weights is broken or does not fit; names the module.
    """
    networks = make_networks(modules)
    loaded = fill_networks(networks, modules, weight_path)
    if trained:
        _check_complete(networks, loaded)
    for network in networks.values():
        network.eval()
    return networks


def fill_networks(networks: Mapping[str, nn.Module], modules: Modules, weight_path: str | None = None) -> list[Loaded]:
    """Load the weights that a ``modules`` block names into its networks, and freeze what it wants frozen.

    Returns
    -------
    list of Loaded
        What went where.
    """
    loaded = load_weights(networks, weight_sources(modules, weight_path))
    for record in loaded:
        logger.info("%s: %d weights from %s (%s)", record.module, len(record.names), record.path, record.sha256[:12])
    for name, block in _blocks(modules):
        if block.get("freeze_weights"):
            first, _, rest = name.partition(".")
            freeze(networks[first].get_submodule(rest))
    return loaded


def weight_sources(modules: Modules, weight_path: str | None = None) -> list[WeightSource]:
    """Files of weights that a configuration names: the one for all networks first, then those of single ones."""
    sources = [WeightSource(weight_path)] if weight_path else []
    for name, block in _blocks(modules):
        path, space = block.get("weight_path"), block.get("model_name")
        if path:
            sources.append(WeightSource(str(path), name, None if space is None else str(space)))
    return sources


def _blocks(modules: Modules) -> list[tuple[str, Mapping[str, object]]]:
    """Blocks of all networks and of their parts by dotted name."""
    todo = [(name, _block(modules, name)) for name in network_names(modules)]
    for name, block in todo:
        todo += [(f"{name}.{key}", value) for key, value in block.items() if isinstance(value, Mapping)]
    return todo


def _check_complete(networks: Mapping[str, nn.Module], loaded: list[Loaded]) -> None:
    filled = {f"{record.module}.{name}" for record in loaded for name in record.names}
    lacking = [n for n, net in networks.items() if any(f"{n}.{key}" not in filled for key in net.state_dict())]
    if lacking:
        raise ConfigError(
            f"networks without weights: {', '.join(lacking)}", where="model.weight_path", mend="give model.weight_path"
        )
