"""What a map's speed is made of: the vote that stops early, the backends, and where the time of one crater goes.

Give it a project with trained networks: `python benchmarks/inference.py PROJECT`. Times are of the processor, so that
other programs disturb them little; every figure is the best of three.
"""

import cProfile
import pstats
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ejectamap.mapping.cost import sample_inputs
from ejectamap.mapping.methods import BATCH
from ejectamap.mapping.registry import load_method
from ejectamap.networks.backends import choose_backend, usable_backends
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.vote import votes_needed
from ejectamap.project import Project
from ejectamap.training.sources import tile_side_px

PICTURES = 128


def processor_seconds(work: Callable[[], object]) -> float:
    runs = []
    for _ in range(3):
        started = time.process_time()
        work()
        runs.append(time.process_time() - started)
    return min(runs)


def vote_early(project: Project, ensemble: Ensemble, corridors: torch.Tensor) -> None:
    """The same corridors, with ten voters (members take turns), asked until decided and to the end."""
    ten = Ensemble(tuple(ensemble.bundles[k % len(ensemble)] for k in range(10)))
    threshold = project.settings.connection.vote_threshold
    full_s = processor_seconds(lambda: [ten.probabilities(x) for x in corridors.split(BATCH)])
    early_s = processor_seconds(lambda: ten.vote(corridors, threshold, BATCH))
    full = (ten.probabilities(corridors) > 0.5).sum(dim=1) >= votes_needed(threshold, 10)
    early = ten.vote(corridors, threshold, BATCH)
    same = bool((full == torch.from_numpy(early.yes)).all())
    print(
        f"ten voters, {len(corridors)} corridors: all asked {full_s:.2f} s, until decided {early_s:.2f} s"
    )
    print(
        f"  {full_s / early_s:.2f} times as fast; {early.asked.mean():.1f} asked of 10; same: {same}"
    )


def backends(project: Project, kind: str, inputs: tuple[torch.Tensor, ...]) -> None:
    def load(name: str) -> Callable[[], torch.Tensor]:
        folder = project.networks(kind)
        ensemble = Ensemble.load(folder, project.mosaic.bands, name)
        return lambda: torch.cat(
            [
                ensemble.probabilities(*part)
                for part in zip(*(x.split(BATCH) for x in inputs), strict=True)
            ]
        )

    best, trials = choose_backend(usable_backends(), load)
    for name, trial in trials.items():
        each_ms = 1000 * trial.seconds / len(inputs[0])
        gain = trials["eager"].seconds / trial.seconds
        print(f"{kind:13} {name:14} {each_ms:8.2f} ms  x {gain:.2f}  agrees {trial.agreement:.3%}")
    print(f"{kind:13} best: {best}")


def one_crater(project: Project) -> None:
    """Where the time of mapping one crater goes, writing apart."""
    method = load_method(project)
    crater = sorted(project.craters, key=lambda c: c.reach)[len(project.craters) // 2]
    method.predict(crater)
    profile = cProfile.Profile(time.process_time)
    profile.runcall(method.predict, crater)
    stats = pstats.Stats(profile).stats
    spent = {name: cumulated for (_, _, name), (_, _, _, cumulated, _) in stats.items()}
    print(f"{crater.name}: {spent['predict']:.2f} s, of it in networks {spent['_ask']:.2f} s")


def main(folder: str) -> None:
    project = Project.open(Path(folder))
    tile_m = tile_side_px(project) * project.mosaic.grid.pixel_m
    for kind in project.settings.fittings:
        inputs = sample_inputs(project, kind, tile_m, PICTURES)
        backends(project, kind, inputs)
        if kind == "connection":
            ensemble = Ensemble.load(project.networks(kind), project.mosaic.bands)
            vote_early(project, ensemble, inputs[0])
    one_crater(project)


if __name__ == "__main__":
    main(sys.argv[1])
