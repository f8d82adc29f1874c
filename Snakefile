"""Detector files in, analysis tables and a report out.

snakemake --cores 8                                    # config/config.yaml
snakemake --cores 8 --config input="data/*.root"       # other inputs
snakemake --cores 8 --configfile my.yaml               # values laid over config/config.yaml
snakemake -s PATH/Snakefile --directory my_run ...     # run anywhere; ./config.yaml is laid over, too
"""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


configfile: Path(workflow.basedir) / "config" / "config.yaml"


if Path("config.yaml").exists():

    configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/units.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/infer.smk"
include: "workflow/rules/build.smk"
include: "workflow/rules/post.smk"
include: "workflow/rules/ana.smk"
include: "workflow/rules/merge.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"


if EVENTS_PER_JOB:

    include: "workflow/rules/inventory.smk"


rule all:
    default_target: True
    input:
        "results/report.html",
        "results/metrics.json",
        "results/events.html",
        expand("results/tables/{table}.csv", table=TABLES),
