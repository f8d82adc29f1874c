"""Inference chain. Input: a detector file (larcv ROOT or HDF5). Output: its products, HDF5."""


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
    resources:
        **site(gpu=True),
    params:
        **stage("infer"),
        entries=entries_of if EVENTS_PER_JOB else "",
    shell:
        "spine infer {input.files:q} --output {output:q} --config {params.config:q} {params.entries} 2>&1 | tee {log:q}"
