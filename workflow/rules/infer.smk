"""Inference chain. Input: a detector file (larcv ROOT or HDF5). Output: its products, HDF5."""


rule infer:
    input:
        lambda wildcards: INPUTS[wildcards.stem],
    output:
        ensure("results/infer/{stem}.h5", non_empty=True),
    log:
        "logs/infer/{stem}.log",
    benchmark:
        "benchmarks-run/infer/{stem}.tsv"
    conda:
        "../../envs/infer.yaml"
    params:
        **stage("infer"),
    shell:
        "spine infer {input[0]:q} --output {output:q} --config {params.config:q} 2>&1 | tee {log:q}"
