"""Many runs, one after the other or side by side, on this machine or on a Ray cluster.

A sweep is a list of ordinary run configs with names::

    from pathlib import Path

    from marl_core.config.yaml_file import load_run
    from marl_core.sweep import Job, run_sweep

    if __name__ == "__main__":  # workers import this file, too
        jobs = []
        for seed in range(8):
            config = load_run(Path("run.yaml"), [f"seed={seed}"])
            jobs.append(Job(f"seed{seed}", config))
        failures = run_sweep(jobs, Path("runs/seeds"), workers=4)

Every job leaves an ordinary run folder. The same call goes on where a sweep was stopped, in
whatever way: finished runs are left alone, others continue exactly from their newest checkpoint.
"""

from marl_core.sweep.jobs import Job
from marl_core.sweep.run import run_sweep

__all__ = ["Job", "run_sweep"]
