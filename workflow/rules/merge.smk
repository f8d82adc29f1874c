"""Merged tables. Input: the CSV files of all inputs. Output: one CSV (and Parquet) per table."""


def all_tables(wildcards):
    """Tables of all inputs: those of a job, or of an input whose ranges are joined."""
    if not EVENTS_PER_JOB:
        return expand("results/ana/{stem}/{table}.csv", stem=INPUTS, table=TABLES)
    spans = jobs()[1]
    joined = [stem for stem, found in spans.items() if len(found) > 1]
    shared = {found[0].job: None for found in spans.values() if len(found) == 1}
    return [
        *expand("results/ana/{stem}", stem=shared),
        *expand("results/ana/{input}/{table}.csv", input=joined, table=TABLES),
    ]


rule merge:
    input:
        all_tables,
    output:
        report(
            expand("results/tables/{table}.csv", table=TABLES),
            category="Tables",
            caption="../report/table.rst",
        ),
    log:
        "logs/merge.log",
    benchmark:
        "benchmarks-run/merge.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **stage("merge"),
    shell:
        "spine merge --list results/inputs.txt --output results/tables --config {params.config:q} 2>&1 | tee {log:q}"
