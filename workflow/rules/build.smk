"""Fragments, particles and interactions. Input: output of infer. Output: objects, HDF5."""


rule build:
    input:
        rules.infer.output,
    output:
        events_file("build"),
    log:
        "logs/build/{stem}.log",
    benchmark:
        "benchmarks-run/build/{stem}.tsv"
    group:
        "file"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **site(),
    params:
        **stage("build"),
    shell:
        "spine build {input:q} --output {output:q} --config {params.config:q} 2>&1 | tee {log:q}"
