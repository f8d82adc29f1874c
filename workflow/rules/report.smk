"""Report. Input: merged tables, some events. Output: one page, its numbers, an event display."""


rule report:
    input:
        tables=rules.merge.output,
        files=expand("results/post/{stem}.h5", stem=list(INPUTS)[:4]),
    output:
        report("results/report.html", category="Report", caption="../report/report.rst"),
        "results/metrics.json",
        report("results/events.html", category="Report", caption="../report/events.rst"),
    log:
        "logs/report.log",
    benchmark:
        "benchmarks-run/report.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        **stage("report"),
    shell:
        "spine report results/tables {input.files:q} --benchmarks benchmarks-run --output results "
        "--config {params.config:q} 2>&1 | tee {log:q}"
