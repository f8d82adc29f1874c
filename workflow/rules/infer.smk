"""Inference chain. Input: a detector file (larcv ROOT or HDF5). Output: its products, HDF5."""


def files_of(wildcards):
    """Inputs of one unit of work."""
    if EVENTS_PER_JOB:
        return [span.file for span in jobs()[0][wildcards.stem]]
    return INPUTS[wildcards.stem]


def entries_of(wildcards):
    """Ranges of entries of the inputs of a job, as an option of the command."""
    return "--entries " + ",".join(span.entries for span in jobs()[0][wildcards.stem])


rule infer:
    input:
        files=files_of,
    output:
        events_file("infer"),
    log:
        "logs/infer/{stem}.log",
    benchmark:
        "benchmarks-run/infer/{stem}.tsv"
    conda:
        "../../envs/infer.yaml"
    params:
        **stage("infer"),
        entries=entries_of if EVENTS_PER_JOB else "",
    shell:
        "spine infer {input.files:q} --output {output:q} --config {params.config:q} {params.entries} 2>&1 | tee {log:q}"
