"""Analysis. Input: output of post. Output: one CSV per table."""


rule ana:
    input:
        rules.post.output,
    output:
        directory("results/ana/{stem}")
        if EVENTS_PER_JOB
        else expand("results/ana/{{stem}}/{table}.csv", table=TABLES),
    log:
        "logs/ana/{stem}.log",
    benchmark:
        "benchmarks-run/ana/{stem}.tsv"
    group:
        "file"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **site(),
    params:
        **stage("ana"),
    shell:
        "spine ana {input:q} --output results/ana/{wildcards.stem:q} --config {params.config:q} 2>&1 | tee {log:q}"
