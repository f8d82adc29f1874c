"""Built-in simulation. Input: nothing. Output: one HDF5 file of events with truth."""


rule simulate:
    output:
        ensure("results/simulate/simulated_{number}.h5", non_empty=True),
    log:
        "logs/simulate/simulated_{number}.log",
    benchmark:
        "benchmarks-run/simulate/simulated_{number}.tsv"
    conda:
        "../../envs/simulate.yaml"
    threads: CONFIG.base.threads
    resources:
        **site(),
    params:
        **stage("simulate"),
    shell:
        "spine simulate --number {wildcards.number} --output {output:q} --config {params.config:q}"
        " --workers {threads} 2>&1 | tee {log:q}"
