"""Commands that look at configurations, in our language and SPINE's."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from spine.config.peer import Translated

__all__ = ["app"]

app = typer.Typer(help="Look at configurations.", no_args_is_help=True, rich_markup_mode=None)

PathArgument = Annotated[Path, typer.Argument(help="YAML file, in the language of this package or of SPINE.")]
SetOption = Annotated[str, typer.Option("--set", help="Overrides: post.direction.radius=5;base.on_error=skip")]
ComposedOption = Annotated[
    bool, typer.Option("--composed", help="As its files compose it, in its own words, without defaults.")
]


def _load(path: Path, overrides: str) -> Translated:
    from spine.config.peer import load_any

    return load_any(path, overrides)


def _yaml(tree: Any) -> str:
    """YAML in the given order, equal parts written out each time."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    text: str = yaml.dump(tree, Dumper=Plain, sort_keys=False, allow_unicode=True)
    return text


def _shown(path: Path, overrides: str, composed: bool) -> str:
    if composed:
        from spine.config.peer import composed_source
        from spine.config.peer.translate import plain_values

        return _yaml(plain_values(composed_source(path, overrides).tree))
    return _yaml(_load(path, overrides).config.model_dump(mode="json", by_alias=True))


@app.command("check")
def check(path: PathArgument, overrides: SetOption = "") -> None:
    """Say everything that is wrong with a configuration, or not supported in one of SPINE."""
    found = _load(path, overrides)
    for note in found.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"{path}: no problems")


@app.command("show")
def show(path: PathArgument, overrides: SetOption = "", composed: ComposedOption = False) -> None:
    """Print a configuration with everything filled in."""
    typer.echo(_shown(path, overrides, composed), nl=False)


@app.command("diff")
def diff(
    one: PathArgument,
    other: PathArgument,
    context: Annotated[int, typer.Option("--context", "-U", min=0, help="Lines around each difference.")] = 3,
    composed: ComposedOption = False,
) -> None:
    """Print where two configurations differ; the exit status is 1 when they do."""
    texts = [_shown(path, "", composed).splitlines(keepends=True) for path in (one, other)]
    lines = list(difflib.unified_diff(texts[0], texts[1], str(one), str(other), n=context))
    typer.echo("".join(lines), nl=False)
    if lines:
        raise typer.Exit(1)


@app.command("explain")
def explain(
    path: PathArgument,
    key: Annotated[str, typer.Argument(help="Dotted key, such as post.direction.radius.")],
    overrides: SetOption = "",
) -> None:
    """Say what a key is set to, where, and what it means."""
    from spine.config.explain import explain as look_up
    from spine.config.source import Source

    found = _load(path, overrides)
    typer.echo(str(look_up(found.config, Source({}, dict(found.lines)), key)))


@app.command("import")
def import_(
    path: PathArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="YAML file to write.")] = None,
    overrides: SetOption = "",
) -> None:
    """Turn a configuration of SPINE into one of this package, or say everything that is not supported."""
    found = _load(path, overrides)
    head = "".join(f"# {note}\n" for note in (f"Made from {path.name}.", *found.notes))
    text = head + _yaml({"extends": [], **found.tree})
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
