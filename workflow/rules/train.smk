"""Training recipe. Input: nothing. Output: weights of all networks of the chain, made from simulated events.

Trainings are long: they are done again when their settings or their input change, not when code does.
"""


rule train_sample:
    output:
        ensure("results/train/sample/{number}.h5", non_empty=True),
    log:
        "logs/train/sample/{number}.log",
    benchmark:
        "benchmarks-run/train/sample/{number}.tsv"
    conda:
        "../../envs/simulate.yaml"
    resources:
        **site(),
    params:
        config=sample_slice(CONFIG, RECIPE.sample),
    shell:
        "spine simulate --number {wildcards.number} --output {output:q} --config {params.config:q} 2>&1 | tee {log:q}"


rule train:
    input:
        step_files,
    output:
        "results/train/{step}/weights.ckpt",
        "results/train/{step}/weights.ckpt.sha256",
    log:
        "logs/train/{step}.log",
    benchmark:
        "benchmarks-run/train/{step}.tsv"
    wildcard_constraints:
        step="|".join(RECIPE.steps) or "none",
    conda:
        "../../envs/infer.yaml"
    resources:
        **site(gpu=True),
    params:
        config=lambda wildcards: step_slice(CONFIG, wildcards.step),
    shell:
        "spine train {input:q} --output results/train/{wildcards.step:q} --config {params.config:q} --stop-status 75 "
        "2>&1 | tee -a {log:q}"


rule train_weights:
    input:
        lambda wildcards: list(
            trained(
                modules_until(CONFIG, RECIPE.inputs[wildcards.name].until)
            ).values()
        ),
    output:
        weights="results/train/weights/{name}.ckpt",
        digest="results/train/weights/{name}.ckpt.sha256",
    log:
        "logs/train/weights/{name}.log",
    wildcard_constraints:
        name="|".join(RECIPE.inputs) or "none",
    localrule: True
    conda:
        "../../envs/infer.yaml"
    params:
        sources=lambda wildcards: " ".join(
            f"{network}={file}"
            for network, file in trained(
                modules_until(CONFIG, RECIPE.inputs[wildcards.name].until)
            ).items()
        ),
    shell:
        "spine weights compose {params.sources} --output {output.weights:q} 2>&1 | tee {log:q}"


rule train_input:
    input:
        sample="results/train/sample/{number}.h5",
        weights="results/train/weights/{name}.ckpt",
    output:
        ensure("results/train/inputs/{name}/{number}.h5", non_empty=True),
    log:
        "logs/train/inputs/{name}/{number}.log",
    benchmark:
        "benchmarks-run/train/inputs/{name}/{number}.tsv"
    wildcard_constraints:
        name="|".join(RECIPE.inputs) or "none",
    conda:
        "../../envs/infer.yaml"
    resources:
        **site(),
    params:
        config=lambda wildcards, input: chain_slice(
            CONFIG, input.weights, RECIPE.inputs[wildcards.name].until
        ),
    shell:
        "spine infer {input.sample:q} --output {output:q} --config {params.config:q} 2>&1 | tee {log:q}"


rule compose:
    input:
        lambda wildcards: list(trained(modules_until(CONFIG)).values()),
    output:
        weights="results/train/weights/chain.ckpt",
        digest="results/train/weights/chain.ckpt.sha256",
    log:
        "logs/train/weights/chain.log",
    localrule: True
    conda:
        "../../envs/infer.yaml"
    params:
        sources=lambda wildcards: " ".join(
            f"{network}={file}"
            for network, file in trained(modules_until(CONFIG)).items()
        ),
    shell:
        "spine weights compose {params.sources} --half --output {output.weights:q} 2>&1 | tee {log:q}"


rule train_all:
    input:
        rules.compose.output,
        "results/evaluation/trained/metrics.json",
        "results/evaluation/untrained/metrics.json",
