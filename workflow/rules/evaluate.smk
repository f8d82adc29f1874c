"""Evaluation. Input: weights. Output: tables, a report and its numbers on simulated events that were never trained on.

The same is done with the networks as they were before training, for comparison.
"""

TESTED = [str(n) for n in range(RECIPE.test.files)]


rule untrained_weights:
    output:
        weights="results/train/weights/untrained.ckpt",
        digest="results/train/weights/untrained.ckpt.sha256",
    log:
        "logs/train/weights/untrained.log",
    localrule: True
    conda:
        "../../envs/infer.yaml"
    params:
        config=chain_slice(CONFIG, "none"),
    shell:
        "spine weights draw --config {params.config:q} --output {output.weights:q} 2>&1 | tee {log:q}"


rule test_sample:
    output:
        ensure("results/evaluation/simulate/{number}.h5", non_empty=True),
    log:
        "logs/evaluation/simulate/{number}.log",
    conda:
        "../../envs/simulate.yaml"
    params:
        config=sample_slice(CONFIG, RECIPE.test),
    shell:
        "spine simulate --number {wildcards.number} --output {output:q} --config {params.config:q} 2>&1 | tee {log:q}"


use rule infer as test_infer with:
    input:
        files="results/evaluation/simulate/{number}.h5",
        weights=lambda wildcards: {
            "trained": "results/train/weights/chain.ckpt",
            "untrained": "results/train/weights/untrained.ckpt",
        }[wildcards.which],
    output:
        ensure("results/evaluation/{which}/infer/{number}.h5", non_empty=True),
    log:
        "logs/evaluation/{which}/infer/{number}.log",
    benchmark:
        "benchmarks-run/evaluation/{which}/infer/{number}.tsv"
    params:
        config=lambda wildcards, input: chain_slice(CONFIG, input.weights),
        code=stage_code(CONFIG, "infer"),
        entries="",


use rule build as test_build with:
    input:
        rules.test_infer.output,
    output:
        ensure("results/evaluation/{which}/build/{number}.h5", non_empty=True),
    log:
        "logs/evaluation/{which}/build/{number}.log",
    benchmark:
        "benchmarks-run/evaluation/{which}/build/{number}.tsv"


use rule post as test_post with:
    input:
        rules.test_build.output,
    output:
        ensure("results/evaluation/{which}/post/{number}.h5", non_empty=True),
    log:
        "logs/evaluation/{which}/post/{number}.log",
    benchmark:
        "benchmarks-run/evaluation/{which}/post/{number}.tsv"


rule test_ana:
    input:
        rules.test_post.output,
    output:
        expand("results/evaluation/{{which}}/ana/{{number}}/{table}.csv", table=TABLES),
    log:
        "logs/evaluation/{which}/ana/{number}.log",
    benchmark:
        "benchmarks-run/evaluation/{which}/ana/{number}.tsv"
    conda:
        "../../envs/analysis.yaml"
    params:
        **stage("ana"),
    shell:
        "spine ana {input:q} --output results/evaluation/{wildcards.which}/ana/{wildcards.number} "
        "--config {params.config:q} 2>&1 | tee {log:q}"


rule test_merge:
    input:
        expand(
            "results/evaluation/{{which}}/ana/{number}/{table}.csv",
            number=TESTED,
            table=TABLES,
        ),
    output:
        expand("results/evaluation/{{which}}/tables/{table}.csv", table=TABLES),
    log:
        "logs/evaluation/{which}/merge.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **stage("merge"),
        folders=lambda wildcards: " ".join(
            f"results/evaluation/{wildcards.which}/ana/{n}" for n in TESTED
        ),
    shell:
        "spine merge {params.folders} --output results/evaluation/{wildcards.which}/tables "
        "--config {params.config:q} 2>&1 | tee {log:q}"


rule evaluate:
    input:
        tables=rules.test_merge.output,
        files="results/evaluation/{which}/post/0.h5",
    output:
        report(
            "results/evaluation/{which}/report.html",
            category="Evaluation",
            caption="../report/evaluation.rst",
        ),
        "results/evaluation/{which}/metrics.json",
        "results/evaluation/{which}/events.html",
    log:
        "logs/evaluation/{which}/report.log",
    wildcard_constraints:
        which="trained|untrained",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        **stage("report"),
    shell:
        "spine report results/evaluation/{wildcards.which}/tables {input.files:q} "
        "--benchmarks benchmarks-run/evaluation/{wildcards.which} --output results/evaluation/{wildcards.which} "
        "--config {params.config:q} 2>&1 | tee {log:q}"
