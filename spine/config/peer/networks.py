"""The block ``model`` of a SPINE configuration: the chain in its older spelling, and networks that stand alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from spine.config.peer.border import Border, mapping, one_level
from spine.config.source import Keys, Tree

__all__ = ["model_block"]

NO_EFFECT: Final = ("time_dependent_loss", "detect_anomaly", "find_unused_parameters")
INPUTS: Final = ("network_input", "loss_input")
MODULES: Final[Keys] = ("model", "modules")
LABELS: Final = {"name": "segmentation", "provider": "segmentation", "config": {"mode": "label"}}
TRUE_FRAGMENTS: Final = {"name": "fragmentation", "provider": "fragmentation", "config": {"mode": "label"}}
TRUE_PARTICLES: Final = {
    "name": "particle_aggregation", "provider": "particle_aggregation", "config": {"particle_aggregation": "label"},
}  # fmt: skip
PPN_PARTS: Final = ("uresnet", "ppn", "vertex", "proposal_decoder")


def model_block(border: Border, tree: Tree) -> Tree:
    """The block ``model`` in our spelling: a chain, of one network where SPINE runs it alone.

    Parameters
    ----------
    border : Border
        Gets problems and remarks.
    tree : dict
        The whole configuration.
    """
    keys: Keys = ("model",)
    block = mapping(tree.get("model"))
    for name in ("name", "provider"):
        if name in block:
            block["provider"] = str(block.pop(name))
    block = border.without(block, keys, NO_EFFECT, "has no effect here")
    inputs = {name: mapping(block.pop(name, None)) for name in INPUTS}
    modules = mapping(block.get("modules"))
    provider = block.get("provider", "full_chain")
    if provider == "full_chain":
        return {**block, "modules": _chain(border, _losses(border, modules))}
    if provider not in ALONE:
        border.refuse((*keys, "provider"), f"{provider!r} is not supported; known: full_chain, {', '.join(ALONE)}")
        return {}
    del inputs
    modules = _losses(border, modules)
    return {**block, "provider": "full_chain", "modules": ALONE[provider](border, modules)}


def _losses(border: Border, modules: Tree) -> Tree:
    """Modules whose loss of Graph-SPICE is that of edges, the only one."""
    name = "graph_spice_loss"
    if not isinstance(modules.get(name), Mapping):
        return modules
    block = one_level(border, modules[name], (*MODULES, name))
    if block.pop("provider", "edge") != "edge":
        border.refuse((*MODULES, name, "provider"), "is not supported: edge")
    return {**modules, name: block}


def _renamed(border: Border, modules: Tree, names: Mapping[str, str]) -> Tree:
    """Modules under other names."""
    for old, new in names.items():
        if old in modules:
            border.moved((*MODULES, old), (*MODULES, new))
    return {names.get(name, name): block for name, block in modules.items()}


def _nested(border: Border, modules: Tree, parts: Mapping[str, tuple[str, ...]]) -> Tree:
    """Modules of which some stand inside another one."""
    inside = {part: whole for whole, names in parts.items() for part in names}
    out = {name: block for name, block in modules.items() if name not in inside}
    for part, whole in inside.items():
        if part in modules:
            border.moved((*MODULES, part), (*MODULES, whole, part))
            out[whole] = {**mapping(out.get(whole)), part: modules[part]}
    return out


def _with(modules: Tree, *stages: Mapping[str, Any]) -> Tree:
    return {"chain": {"stages": [dict(stage) for stage in stages]}, **modules}


def _stage(provider: str, network: str, modules: Tree, **config: Any) -> Tree:
    """A stage with one network, and its loss where it has one."""
    loss = {"loss": f"{network}_loss"} if f"{network}_loss" in modules else {}
    return {"name": provider, "provider": provider, "uses": network, **loss, "config": config}


def _uresnet(border: Border, modules: Tree) -> Tree:
    del border
    return _with(modules, _stage("segmentation", "uresnet", modules, mode="uresnet"))


def _uresnet_bayes(border: Border, modules: Tree) -> Tree:
    del border
    return _with(modules, _stage("segmentation", "uresnet_bayes", modules, mode="uresnet"))


def _uresnet_ppn(border: Border, modules: Tree) -> Tree:
    losses = tuple(f"{name}_loss" for name in PPN_PARTS[:3])
    out = _nested(border, modules, {"uresnet_ppn": PPN_PARTS, "uresnet_ppn_loss": losses})
    points = {"point_proposal": "ppn"} if "ppn" in mapping(out.get("uresnet_ppn")) else {}
    return _with(out, _stage("segmentation", "uresnet_ppn", out, mode="uresnet", **points))


def _clusterer(name: str) -> Callable[[Border, Tree], Tree]:
    def alone(border: Border, modules: Tree) -> Tree:
        del border
        return _with(modules, LABELS, _stage("fragmentation", name, modules, mode=name))

    return alone


SHOWERS: Final = {"shower", "michel", "delta", 0, 2, 3}
TRACKS: Final = {"track", 1}


def _path(shapes: Any) -> str:
    """Which of the paths of particle aggregation a graph network takes, by its classes."""
    given = set(shapes) if isinstance(shapes, list) else set()
    if given and given <= SHOWERS:
        return "shower"
    return "track" if given and given <= TRACKS else "particle"


def _grappa(border: Border, modules: Tree) -> Tree:
    """A graph network on true clusters: of fragments for their groups, of particles for their interactions."""
    network = mapping(modules.get("grappa"))
    nodes = mapping(network.get("nodes"))
    if not nodes.get("make_groups"):
        border.note((*MODULES, "grappa", "nodes"), "groups are made in any case")
    modules = {**modules, "grappa": {**network, "nodes": {**nodes, "make_groups": True}}}
    if nodes.get("source", "cluster") in ("cluster", "fragment"):
        path = _path(nodes.get("shapes"))
        name = f"grappa_{path}"
        out = _renamed(border, modules, {"grappa": name, "grappa_loss": f"{name}_loss"})
        config = {f"{path}_aggregation": "grappa", name: {"points": "label"}}
        return _with(out, LABELS, TRUE_FRAGMENTS, _stage("particle_aggregation", name, out, **config))
    out = _renamed(border, modules, {"grappa": "grappa_inter", "grappa_loss": "grappa_inter_loss"})
    last = _stage("interaction_aggregation", "grappa_inter", out, mode="grappa", points="label")
    return _with(out, LABELS, TRUE_FRAGMENTS, TRUE_PARTICLES, last)


def _image(border: Border, modules: Tree) -> Tree:
    out = _renamed(border, modules, {"image": "image_particle", "image_loss": "image_particle_loss"})
    heads = mapping(out.get("image_particle_loss"))
    for name, head in heads.items():
        if isinstance(head, Mapping) and head.get("label") in border.renames:
            heads[name] = {**head, "label": border.renames[head["label"]]}
    if heads:
        out["image_particle_loss"] = heads
    source = mapping(mapping(out.get("image_particle")).get("objects")).get("source", "image")
    return _with(out, _stage("particle_image", "image_particle", out, mode="alone", labelled=source != "image"))


ALONE: Final[Mapping[str, Callable[[Border, Tree], Tree]]] = {
    "uresnet": _uresnet, "uresnet_bayes": _uresnet_bayes, "uresnet_ppn": _uresnet_ppn, "spice": _clusterer("spice"),
    "graph_spice": _clusterer("graph_spice"), "grappa": _grappa, "image": _image,
}  # fmt: skip
"""What becomes of the modules of a network that SPINE runs alone."""


def _chain(border: Border, modules: Tree) -> Tree:
    """The modules of a chain, its stages in our spelling."""
    chain = mapping(modules.get("chain"))
    keys = (*MODULES, "chain")
    if chain and "stages" not in chain:
        return {**modules, "chain": {"stages": _by_mode(border, chain, modules)}}
    if isinstance(chain.get("stages"), list):
        stages = [_entry(border, s, (*keys, "stages", str(i))) for i, s in enumerate(chain["stages"])]
        chain["stages"] = [_inlined(border, stage, modules) for stage in stages]
        modules = {name: block for name, block in modules.items() if name not in OPTIONS}
    chain = border.without(chain, keys, ("inputs",), "what the input offers is looked up in it")
    return {**modules, **({"chain": chain} if chain else {})}


def _entry(border: Border, stage: Any, keys: Keys) -> Any:
    """A stage with its options under ``config``."""
    if not isinstance(stage, Mapping):
        return stage
    own = {name: stage[name] for name in ("name", "provider", "uses", "loss") if name in stage}
    rest = {name: value for name, value in stage.items() if name not in own}
    return {**own, "config": one_level(border, rest, keys)}


OPTIONS: Final = ("dbscan", "predict_points", "adapt_labels")
"""Blocks beside the networks that hold options of stages."""


def _inlined(border: Border, stage: Any, modules: Tree) -> Any:
    """A stage with the options that it takes from such blocks under ``config``."""
    if not isinstance(stage, Mapping):
        return stage
    used = [stage["uses"]] if isinstance(stage.get("uses"), str) else list(stage.get("uses") or ())
    taken = [name for name in OPTIONS if name in used and isinstance(modules.get(name), Mapping)]
    if not taken:
        return stage
    for name in taken:
        border.moved((*MODULES, name), (*MODULES, "chain", "stages", str(stage.get("name")), "config", name))
    config = {**mapping(stage.get("config")), **{name: modules[name] for name in taken}}
    rest = {key: value for key, value in stage.items() if key not in ("uses", "config")}
    uses = {"uses": left} if (left := [name for name in used if name not in taken]) else {}
    return {**rest, **uses, "config": config}


def _present(modules: Tree, *names: str) -> list[str]:
    return [name for name in names if isinstance(modules.get(name), Mapping)]


def _named(name: str, modules: Tree, uses: list[str], config: Tree, loss: Any = None) -> Tree:
    stage: Tree = {"name": name, "provider": name, "config": {k: v for k, v in config.items() if v is not None}}
    if uses:
        stage["uses"] = uses
    if isinstance(loss, str):
        loss = loss if loss in modules else None
    elif isinstance(loss, Mapping):
        loss = {key: block for key, block in loss.items() if block in modules} or None
    return {**stage, "loss": loss} if loss else stage


TASKS: Final = {
    "type": "particle_identification", "primary": "primary_identification", "orient": "orientation_identification",
}  # fmt: skip
"""Older key of each property of particles."""


def _by_mode(border: Border, chain: Tree, modules: Tree) -> list[Tree]:
    """Stages of a chain that is given as one mode for each task."""
    for key in chain:
        border.moved((*MODULES, "chain", key), (*MODULES, "chain", "stages"))
    asked = {key: value for key, value in chain.items() if value is not None}
    stages = [stage for make in STAGES for stage in make(asked, modules)]
    for name in OPTIONS:
        modules.pop(name, None)
    if "calibration" in asked:
        _calibration(border, asked, modules, stages)
    return stages


def _calibration(border: Border, asked: Tree, modules: Tree, stages: list[Tree]) -> None:
    """Put calibration right before the stage that its block names."""
    block = mapping(modules.get("calibration"))
    target = {
        "particle_classification": "particle_image", "particle_identification": "particle_image",
        "inter_aggregation": "interaction_aggregation",
    }.get(str(block.get("stage")), block.get("stage"))  # fmt: skip
    names = [stage["name"] for stage in stages]
    if target not in names:
        border.refuse((*MODULES, "calibration", "stage"), f"{target!r} is not a stage of the chain")
        return
    options = {key: value for key, value in block.items() if key != "stage"}
    modules.pop("calibration")
    config = {"mode": asked["calibration"], "calibration": options}
    stages.insert(
        names.index(target), {"name": f"calibration_before_{target}", "provider": "calibration", "config": config}
    )


def _deghosting(asked: Tree, modules: Tree) -> list[Tree]:
    mode, rescaling = asked.get("deghosting"), asked.get("charge_rescaling")
    if mode is None and rescaling is None:
        return []
    config = {"mode": mode, "charge_rescaling": rescaling}
    uses = _present(modules, "uresnet_deghost")
    return [{**_named("deghosting", modules, uses, config, "uresnet_deghost_loss"), "provider": "deghost"}]


def _segmentation(asked: Tree, modules: Tree) -> list[Tree]:
    mode, points = asked.get("segmentation"), asked.get("point_proposal")
    if mode is None and points is None:
        return []
    name = "uresnet_ppn" if "uresnet_ppn" in modules else "uresnet"
    config = {"mode": mode, "point_proposal": points, "adapt_labels": modules.get("adapt_labels")}
    return [_named("segmentation", modules, _present(modules, name), config, f"{name}_loss")]


def _fragmentation(asked: Tree, modules: Tree) -> list[Tree]:
    mode = asked.get("fragmentation")
    if mode is None:
        return []
    config: Tree = {"mode": mode}
    if "dbscan" in str(mode) and isinstance(modules.get("dbscan"), Mapping):
        config["dbscan"] = modules["dbscan"]
    losses = {name: f"{name}_loss" for name in ("spice", "graph_spice")}
    return [_named("fragmentation", modules, _present(modules, "spice", "graph_spice"), config, losses)]


def _particles(asked: Tree, modules: Tree) -> list[Tree]:
    names = ("shower_aggregation", "shower_primary", "track_aggregation", "particle_aggregation")
    config = {name: asked.get(name) for name in names}
    if not any(config.values()):
        return []
    config["predict_points"] = modules.get("predict_points")
    paths = ("shower", "track", "particle")
    uses = _present(modules, *(f"grappa_{path}" for path in paths))
    return [_named("particle_aggregation", modules, uses, config, {p: f"grappa_{p}_loss" for p in paths})]


def _images(asked: Tree, modules: Tree) -> list[Tree]:
    config = {key: asked.get(key) for key in TASKS.values()}
    if "image" not in config.values():
        return []
    return [_named("particle_image", modules, _present(modules, "image_particle"), config, "image_particle_loss")]


def _interactions(asked: Tree, modules: Tree) -> list[Tree]:
    mode = asked.get("inter_aggregation")
    if mode is None:
        return []
    tasks = {task: asked[key] for task, key in TASKS.items() if key in asked}
    points = modules.get("predict_points") if mode == "grappa" else None
    config = {"mode": mode, "task_modes": tasks or None, "predict_points": points}
    uses = _present(modules, "grappa_inter")
    return [_named("interaction_aggregation", modules, uses, config, "grappa_inter_loss")]


def _vertexing(asked: Tree, modules: Tree) -> list[Tree]:
    mode = asked.get("vertexing")
    if mode is None:
        return []
    options = mapping(modules.pop("interaction_vertexing", None))
    return [_named("interaction_vertexing", modules, [], {"mode": mode, **options})]


STAGES: Final = (_deghosting, _segmentation, _fragmentation, _particles, _images, _interactions, _vertexing)
"""What makes the stage of each task, in the order of the chain."""
