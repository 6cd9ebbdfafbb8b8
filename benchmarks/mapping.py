"""Components of the speed of `map`: time inside the networks, votes that stop early, backends, workers.

    python benchmarks/mapping.py

The planets are simulated; the connection networks are trained for a minute, for votes that stop realistically early.
"""

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from planets import VOTERS, noise_planet
from sampler import noise_mosaic, own, random_pairs

from ejectamap.mapping.batches import BATCH
from ejectamap.mapping.cost import sample_inputs
from ejectamap.mapping.run import map_project
from ejectamap.networks.backends import choose_backend, usable_backends
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.vote import votes_needed
from ejectamap.project.folder import Project
from ejectamap.simulation.files import write_planet
from ejectamap.simulation.planet import simulate_planet
from ejectamap.training.run import train

Row = tuple[str, str, str]
INPUTS = 128
REACH = 0.03  # of the craters for the published networks: some thirty chips, each of which takes a second
TRAINING = ("method=two-stage", f"connection.members={VOTERS}", "training.max_minutes=1")


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        polar = simulated(folder / "polar", 2048, 30)
        voting = simulated(folder / "voting", 1024, 8, TRAINING)
        train(voting)
        published = noise_planet(folder / "published", 2048, 6, "poster", REACH)
        shared = [
            inside_networks("polar", polar),
            inside_networks("two-stage, preset laptop", voting),
            inside_networks("two-stage, preset poster", published),
        ]
        workers = [two_workers(folder / "noise"), two_processors()]
        return [*shared, early_vote(voting), *backends(polar), *workers]


def simulated(folder: Path, width_px: int, craters: int, changes: tuple[str, ...] = ()) -> Project:
    write_planet(simulate_planet(7, width_px, craters), folder)
    files = folder / "mosaic.tif", folder / "craters.csv", folder / "labels"
    return Project.create(folder / "project", *files, changes=changes)


@contextmanager
def network_time(spent: list[float]) -> Iterator[None]:
    """Add the processor time spent inside networks to a list's only number."""
    predict = Ensemble._predict

    def timed(*arguments: object) -> torch.Tensor:
        started = time.thread_time()
        probability = predict(*arguments)
        spent[0] += time.thread_time() - started
        return probability

    Ensemble._predict = timed
    try:
        yield
    finally:
        Ensemble._predict = predict


def inside_networks(name: str, project: Project) -> Row:
    """Fraction of the processor time of a whole map; a crater is mapped before it, to load and compile everything."""
    map_project(project, [project.craters[0].crater_id])
    shutil.rmtree(project.maps)
    spent = [0.0]
    with network_time(spent):
        started = time.process_time()
        map_project(project)
        whole = time.process_time() - started
    size = f"{project.grid.width} px, {len(project.craters)} craters"
    what = f"{name}, {size}: time inside the networks"
    return what, f"{spent[0]:.1f} of {whole:.1f} s", f"{spent[0] / whole:.0%}"


def early_vote(project: Project) -> Row:
    """Votes on the same corridors, from all over a crater's reach, that stop early and that do not."""
    ensemble = Ensemble.load(project.networks_folder("connection"), project.mosaic.bands)
    (corridors,) = sample_inputs(project, "connection", project.tile_side_m, INPUTS)
    threshold = project.settings.connection.vote_threshold
    started = time.process_time()
    full = torch.cat([ensemble.probabilities(batch) for batch in corridors.split(BATCH)]) > 0.5
    between = time.process_time()
    early = ensemble.vote(corridors, threshold, BATCH)
    full_s, early_s = between - started, time.process_time() - between
    needed = votes_needed(threshold, len(ensemble))
    same = bool((full.sum(dim=1) >= needed).equal(torch.from_numpy(early.positive)))
    took = (
        f"{early_s:.1f} against {full_s:.1f} s; {early.evaluated.mean():.1f} of {len(ensemble)} networks run, "
        f"{'the same' if same else 'ANOTHER'} outcome for {len(corridors)} corridors"
    )
    return "vote until it is decided, against the full vote", took, f"{full_s / early_s:.2f} times"


def backends(project: Project) -> list[Row]:
    """Each backend that this machine has, against eager float32, on the polar views of a crater."""
    inputs = sample_inputs(project, "context", 0.0)

    def load(name: str):
        ensemble = Ensemble.load(project.networks_folder("context"), project.mosaic.bands, name)
        return lambda: ensemble.probabilities(*inputs)

    best, trials = choose_backend(usable_backends(), load)
    eager_s = trials["eager"].seconds
    return [
        (
            f"context network, {name} against eager" + (" (chosen)" if name == best else ""),
            f"{1e3 * trial.seconds:.0f} against {1e3 * eager_s:.0f} ms; {trial.agreement:.2%} agree",
            f"{eager_s / trial.seconds:.2f} times",
        )
        for name, trial in trials.items()
        if name != "eager" or name == best
    ]


def two_workers(folder: Path) -> Row:
    """Craters a minute, all of one reach, from the first finished to the last: the better of two alternating runs."""
    project = noise_planet(folder, 8192, 32, reach=0.25)
    rates, clocks = {1: 0.0, 2: 0.0}, {1: np.inf, 2: np.inf}
    for workers in (1, 2, 1, 2):
        shutil.rmtree(project.maps, ignore_errors=True)
        started = time.perf_counter()
        map_project(project, workers=workers)
        clocks[workers] = min(clocks[workers], time.perf_counter() - started)
        record_times = sorted(
            p.stat().st_mtime for p in (project.maps / ".done").glob("crater_*.json")
        )
        rate = 60 * (len(record_times) - workers) / (record_times[-1] - record_times[workers - 1])
        rates[workers] = max(rates[workers], rate)
    what = f"two workers against one, 8192 px, {len(record_times)} craters, {os.cpu_count()} processors"
    took = f"{rates[2]:.1f} against {rates[1]:.1f} craters a minute; {clocks[2]:.0f} against {clocks[1]:.0f} s in all"
    return what, took, f"{rates[2] / rates[1]:.2f} times"


def two_processors() -> Row:
    """Upper bound of the gain by two workers on this machine: two independent processes, against one."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(count_chips, [1.0, 1.0]))  # compiles
        alone = pool.submit(count_chips, 5.0).result()
        both = sum(pool.map(count_chips, [5.0, 5.0]))
    what = "the machine itself: chips sampled by two independent processes, against one"
    return what, f"{both / 5:.0f} against {alone / 5:.0f} a second", f"{both / alone:.2f} times"


def count_chips(seconds: float) -> int:
    """Number of chips that a process samples in some seconds."""
    mosaic = noise_mosaic(2048)
    pairs = itertools.cycle(random_pairs(mosaic.grid, 100))
    own(mosaic, *next(pairs))
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        own(mosaic, *next(pairs))
        done += 1
    return done


if __name__ == "__main__":
    for row in rows():
        print(*row, sep="  |  ")
