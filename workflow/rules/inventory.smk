"""Jobs of so many events. Input: all inputs. Output: a table of jobs; and the tables of an input, its ranges joined."""


checkpoint inventory:
    input:
        list(INPUTS.values()),
    output:
        jobs="results/jobs.csv",
        places="results/inputs.txt",
    log:
        "logs/inventory.log",
    benchmark:
        "benchmarks-run/inventory.tsv"
    localrule: True
    conda:
        "../../envs/infer.yaml"
    params:
        **stage("inventory"),
        events=str(EVENTS_PER_JOB),
    shell:
        "spine inventory results/files.txt --output results/inventory.csv --jobs {output.jobs:q} "
        "--events {params.events} --config {params.config:q} 2>&1 | tee {log:q}"


rule join:
    input:
        lambda wildcards: expand(
            "results/ana/{job}",
            job=[span.job for span in jobs()[1][wildcards.input]],
        ),
    output:
        expand("results/ana/{{input}}/{table}.csv", table=TABLES),
    log:
        "logs/join/{input}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        places=lambda wildcards: [
            f"results/ana/{span.job}/{span.name}"
            for span in jobs()[1][wildcards.input]
        ],
        code=code_fingerprint("spine.stages.join"),
    shell:
        "spine join {params.places:q} --output results/ana/{wildcards.input:q} 2>&1 | tee {log:q}"
