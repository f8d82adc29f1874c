"""Graph networks made from their options."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import ValidationError
from torch import nn

from spine.errors import ConfigError
from spine.model.grappa.convolutions import AGNNConvNodeLayer, EConvNodeLayer, GATConvNodeLayer, NNConvNodeLayer
from spine.model.grappa.layers import FeatureSizes, MLPEdgeLayer, MLPGlobalLayer, MLPNodeLayer
from spine.model.grappa.meta import MetaLayer, MetaLayerGNN
from spine.model.grappa.mlp import ACTIVATIONS, NORMS, DenseStyle, EvidentialHead, LinearHead, MLPHead
from spine.model.grappa.network import GrapPA, PredictionHeads
from spine.model.grappa.options import (
    AttentionOptions,
    ConvolutionOptions,
    GlobalLayerOptions,
    GNNOptions,
    GrapPAOptions,
    HeadOptions,
    MessageOptions,
    MLPOptions,
    NodeLayerOptions,
)
from spine.model.grappa.scatter import Reduction
from spine.model.layer_config import Choice, layer_maker

__all__ = ["build_from_options", "dense_style", "grappa_network", "head_layer"]


def _norm(choice: Choice) -> Callable[[int], nn.Module]:
    return layer_maker(NORMS, choice, 8)


def _activation(choice: Choice) -> Callable[[], nn.Module]:
    return layer_maker(ACTIVATIONS, choice)


def dense_style(options: MLPOptions) -> DenseStyle:
    """How hidden layers are made.

    Raises
    ------
    ConfigError
        When there is no activation or normalisation of that name.
    """
    return DenseStyle(options.widths, _activation(options.activation), _norm(options.normalization))


def head_layer(options: HeadOptions, channels: int) -> nn.Module:
    """Layer that makes a prediction from (N, channels) features.

    Raises
    ------
    ConfigError
        When an evidential head is to make another number of outputs than four.
    """
    if options.name == "linear":
        return LinearHead(channels, options.out_channels)
    style = dense_style(options.hidden)
    if options.name == "mlp":
        return MLPHead(channels, options.out_channels, style, options.positive_out)
    if options.out_channels != 4:
        raise ConfigError("evidential regression has four outputs", where="out_channels", got=options.out_channels)
    return EvidentialHead(channels, style, options.eps, options.logspace)


def grappa_network(options: GrapPAOptions) -> GrapPA:
    """The network, with parameters at random."""
    gnn = options.gnn_model
    network, sizes = _updates(gnn)
    kinds = zip((gnn.node_pred, gnn.edge_pred, gnn.global_pred), sizes, strict=True)
    heads = [{task: head_layer(one, channels) for task, one in heads.items()} for heads, channels in kinds]
    return GrapPA(network, PredictionHeads(*heads), options)


def build_from_options(options: Mapping[str, object], name: str) -> GrapPA:
    """The network that a block of a configuration describes.

    Raises
    ------
    ConfigError
        When an option is unknown or has a wrong value; lists all of them.
    """
    try:
        return grappa_network(GrapPAOptions.model_validate(dict(options)))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError(f"options of network {name!r}: " + "; ".join(lines), where=f"model.modules.{name}") from error


def _updates(options: GNNOptions) -> tuple[MetaLayerGNN, FeatureSizes]:
    """Updates, and the features after the last. What no later update and no prediction needs is left out."""
    sizes = FeatureSizes(options.node_feats, options.edge_feats, options.global_feats)
    norm = _norm(options.input_normalization)
    norms = [norm(size) if size > 0 else None for size in sizes]
    layers = []
    for number in range(options.num_mp):
        layer, sizes = _update(options, sizes, number == options.num_mp - 1)
        layers.append(layer)
    return MetaLayerGNN(layers, *norms), sizes


def _update(options: GNNOptions, sizes: FeatureSizes, last: bool) -> tuple[MetaLayer, FeatureSizes]:
    edge = node = glob = None
    if options.edge_layer is not None:
        edge = MLPEdgeLayer(sizes, dense_style(options.edge_layer.mlp))
        sizes = sizes._replace(edge=edge.feature_size)
    if options.node_layer is not None and (options.node_pred or options.global_pred or not last):
        node = _node_layer(options.node_layer, sizes)
        sizes = sizes._replace(node=node.feature_size)
    if options.global_layer is not None and (options.global_pred or not last):
        glob = _global_layer(options.global_layer, sizes)
        sizes = sizes._replace(glob=glob.feature_size)
    return MetaLayer(edge, node, glob), sizes


def _global_layer(options: GlobalLayerOptions, sizes: FeatureSizes) -> MLPGlobalLayer:
    return MLPGlobalLayer(sizes, dense_style(options.mlp), options.reduction)


def _node_layer(
    options: NodeLayerOptions, sizes: FeatureSizes
) -> MLPNodeLayer | AGNNConvNodeLayer | GATConvNodeLayer | EConvNodeLayer | NNConvNodeLayer:
    if isinstance(options, MessageOptions):
        message, aggregate = dense_style(options.message_mlp), dense_style(options.aggr_mlp)
        return MLPNodeLayer(sizes, message, aggregate, options.reduction, options.attention)
    if isinstance(options, AttentionOptions):
        return _attention_layer(options, sizes)
    return _convolution_layer(options, sizes)


def _out_channels(options: AttentionOptions | ConvolutionOptions) -> int:
    if options.out_channels is None:
        raise ConfigError(f"{options.name} needs out_channels", where="node_layer")
    return options.out_channels


def _attention_layer(options: AttentionOptions, sizes: FeatureSizes) -> AGNNConvNodeLayer | GATConvNodeLayer:
    style = DenseStyle((), _activation(options.activation), _norm(options.normalization))
    if options.name == "agnnconv":
        return AGNNConvNodeLayer(sizes, style, options.add_self_loops)
    if options.heads > 1 and options.concat:
        raise ConfigError("several heads are averaged", where="node_layer", mend="set 'concat: false'")
    width = _out_channels(options)
    return GATConvNodeLayer(sizes, width, style, options.heads, options.negative_slope, options.add_self_loops)


def _convolution_layer(options: ConvolutionOptions, sizes: FeatureSizes) -> EConvNodeLayer | NNConvNodeLayer:
    style = dense_style(options.mlp)
    reduction: Reduction = "sum" if options.aggr == "add" else options.aggr
    if options.name == "econv":
        return EConvNodeLayer(sizes, style, reduction)
    return NNConvNodeLayer(sizes, _out_channels(options), style, reduction)
