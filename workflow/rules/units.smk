"""Units of work: a job per input, or jobs of so many events. What each of them reads and writes."""

from functools import cache

from spine.config.jobs import read_jobs


def events_file(stage):
    """Output of a stage for one unit of work: a file, or the directory of a job when jobs have so many events."""
    if EVENTS_PER_JOB:
        return directory(f"results/{stage}/{{stem}}")
    return ensure(f"results/{stage}/{{stem}}.h5", non_empty=True)


@cache
def jobs_of(path, changed):
    """Ranges of inputs by job and by input, from the table of jobs."""
    by_job, by_input = {}, {}
    for span in read_jobs(Path(path)):
        by_job.setdefault(span.job, []).append(span)
        by_input.setdefault(span.stem, []).append(span)
    return by_job, by_input


def jobs():
    """Ranges by job and by input; the inventory of all inputs is made first."""
    table = checkpoints.inventory.get().output.jobs
    return jobs_of(table, Path(table).stat().st_mtime_ns)


def files_of(wildcards):
    """Inputs of one unit of work."""
    if EVENTS_PER_JOB:
        return [span.file for span in jobs()[0][wildcards.stem]]
    return INPUTS[wildcards.stem]


def entries_of(wildcards):
    """Ranges of entries of the inputs of a job, as an option of the command."""
    return "--entries " + ",".join(span.entries for span in jobs()[0][wildcards.stem])


def all_tables(wildcards):
    """Tables of all inputs: those of a job, or of an input whose ranges are joined."""
    if not EVENTS_PER_JOB:
        return expand("results/ana/{stem}/{table}.csv", stem=INPUTS, table=TABLES)
    spans = jobs()[1]
    joined = [stem for stem, found in spans.items() if len(found) > 1]
    shared = {found[0].job: None for found in spans.values() if len(found) == 1}
    return [
        *expand("results/ana/{stem}", stem=shared),
        *expand("results/ana/{input}/{table}.csv", input=joined, table=TABLES),
    ]


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
