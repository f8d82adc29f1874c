"""Post-processing. Input: output of build. Output: the same objects with more columns filled, HDF5."""


rule post:
    input:
        rules.build.output,
    output:
        events_file("post"),
    log:
        "logs/post/{stem}.log",
    benchmark:
        "benchmarks-run/post/{stem}.tsv"
    group:
        "file"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **site(),
    params:
        **stage("post"),
    shell:
        "spine post {input:q} --output {output:q} --config {params.config:q} 2>&1 | tee {log:q}"
