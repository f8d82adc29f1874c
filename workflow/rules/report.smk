"""Report. Input: merged tables, some events. Output: one page, its numbers, an event display."""


def shown_spans():
    """The first ranges of the first inputs."""
    by_input = jobs()[1]
    return [span for stem in list(INPUTS)[:4] for span in by_input[stem]][:4]


def shown_places(wildcards, input):
    """Files from which events are shown, in the order of the inputs."""
    if EVENTS_PER_JOB:
        return [f"results/post/{span.job}/{span.name}.h5" for span in shown_spans()]
    return input.files


def shown_files(wildcards):
    """Outputs of post from which events are shown."""
    if EVENTS_PER_JOB:
        return list(dict.fromkeys(f"results/post/{span.job}" for span in shown_spans()))
    return expand("results/post/{stem}.h5", stem=list(INPUTS)[:4])


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
