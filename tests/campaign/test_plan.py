"""What a run will do, in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest

from spine.campaign.plan import durations, plain_reasons, plan_of, plan_text

BEFORE = """'8b1ebd792cbac775','{"post":{"steps":[{"name":"direction","config":{"radius":-1,"optimize":false}}]}}'"""

DRY = f"""\
Job stats:
job      count
infer        2
all          1

rule infer:
    output: results/infer/a.h5
    reason: Missing output files: results/infer/a.h5

rule infer:
    output: results/infer/b.h5
    reason: Updated input files: b.root; Params have changed since last execution: Union: before: {BEFORE} now: 'ff'
    wildcards: stem=b
localcheckpoint inventory:
    reason: Set of input files has changed since last execution
localrule all:
    reason: Input files updated by another job: results/report.html
"""


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Missing output files: results/report.html, results/events.html", ["not made yet"]),
        ("Input files updated by another job: a.h5", ["what it reads is made anew"]),
        (
            "Code has changed since last execution; Input files updated by another job: a",
            ["its rule in the workflow has changed", "what it reads is made anew"],
        ),
        (
            f"Params have changed since last execution: Union: before: {BEFORE} now: "
            + BEFORE.replace("8b1e", "8b1f").replace("-1", "5"),
            ["its code has changed", "its configuration has changed (post.direction.radius)"],
        ),
        (
            """Params have changed since last execution: Union: before: '{"ana":{"a":1}}' now: '{"ana":{"b":1}}'""",
            ["its configuration has changed (ana.a, ana.b)"],
        ),
        ("Params have changed since last execution: Union: before: '3' now: '4'", ["its settings have changed"]),
        ("Something nobody has seen", ["other reasons"]),
    ],
)
def test_reasons(text: str, plain: list[str]) -> None:
    assert plain_reasons(text) == plain


def test_plan() -> None:
    plan = plan_of(DRY)
    assert [(entry.rule, entry.jobs) for entry in plan] == [("infer", 2), ("inventory", 1)]
    assert plan[0].reasons["not made yet"] == 1
    assert plan[0].reasons["an input file has changed"] == 1


def test_estimates(tmp_path: Path) -> None:
    (tmp_path / "infer" / "0000").mkdir(parents=True)
    for name, seconds in (("a", 100.0), ("0000/b", 200.0)):
        (tmp_path / "infer" / f"{name}.tsv").write_text(f"s\tmax_rss\n{seconds}\t5\n")
    known = durations(tmp_path)
    assert known == {"infer": 150.0}
    lines = plan_text(plan_of(DRY), known, 2).splitlines()
    assert "about 5 min of one core" in lines[0]
    assert "time unknown" in lines[1]
    assert lines[2] == "3 jobs, about 2 min with 2 at a time (besides inventory)"
    assert plan_text(plan_of(DRY), {}, 2).splitlines()[-1] == "3 jobs"
