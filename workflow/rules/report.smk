"""Report. Input: merged tables, some events. Output: one page, its numbers, an event display."""


rule report:
    input:
        tables=rules.merge.output,
        files=shown_files,
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
        places=shown_places,
    shell:
        "spine report results/tables {params.places:q} --benchmarks benchmarks-run --output results "
        "--config {params.config:q} 2>&1 | tee {log:q}"
