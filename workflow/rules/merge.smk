"""Merged tables. Input: the CSV files of all inputs. Output: one CSV (and Parquet) per table."""


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
