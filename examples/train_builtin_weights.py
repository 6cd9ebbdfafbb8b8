"""Train the context network that comes with the program, on simulated planets and on real mosaics.

    python examples/train_builtin_weights.py FOLDER --minutes 8 --workers 15 [--start models/context/member-00]
        [--real mercury moon]

Worker processes make worlds (seeds 20 000, 20 001, ...) and sample polar views of their craters while the network is
trained; on a GPU, one worker per core is best. Worlds are simulated planets and, where projects with real mosaics and
traced craters are given, these mosaics with planted craters, and the traced craters. Then the probabilities are
calibrated on other planets. The bundle, in half precision, is FOLDER/weights/context/member-00. To ship it, copy
it to src/ejectamap/weights/context/ and update docs/model-card.md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader
from training_views import SamplePool, TrainingViews
from training_worlds import TrainingWorlds, simulated_world

from ejectamap.demo import simulated_project
from ejectamap.networks.bundle import Bundle, load_bundle, save_bundle
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.losses import build_loss
from ejectamap.networks.polar_prediction import PolarPredictor
from ejectamap.project.bundles import BundleDescription, library_versions
from ejectamap.project.folder import Project
from ejectamap.training.calibration import fit_calibration
from ejectamap.training.loaders import make_loader
from ejectamap.training.setups import ContextSetup
from ejectamap.training.sources import gather_sources
from ejectamap.training.task import Task
from ejectamap.training.trainer import fit
from ejectamap.world.world import World

FIRST_SEED, VALIDATION_SEED, CALIBRATION_SEED = 20_000, 19_000, 19_001
VALIDATION_WIDTH_PX = 1536
CHANGES = (
    "method=polar",
    "training.start_from=none",
    "training.test_fraction=0",
    "context.max_epochs=100000",
    "context.patience=100000",
    "context.augment.fewer_bands=0.15",
)


def train_on_simulations(project: Project, options: argparse.Namespace) -> Bundle:
    """Train a context network, from random or given weights; the project's own planet is the validation data."""
    config, sources = project.settings.context, gather_sources(project)
    setup = ContextSetup(project, sources)
    dataset = setup.dataset(sources.sources, augmented=False, seed=0)
    batches = list(make_loader(dataset, options.batch, 0, 0, shuffle=False))
    validation: DataLoader = DataLoader(batches, batch_size=None)
    pool = SamplePool(
        TrainingViews(project, TrainingWorlds(options.real, options.width), options.seed),
        options.workers,
        options.pool,
        options.batch,
        options.steps,
    )
    network = setup.network(pretrained=False)
    if options.start is not None:
        network.load_state_dict(load_bundle(options.start).model.state_dict())
    normalisation, _ = setup.normalisations(dataset)
    task = Task(network, build_loss(config.loss.name), config, normalisation, None, seed=0)
    torch.backends.cudnn.benchmark = True
    result = fit(
        task, pool, validation, options.folder / "logs", project.settings.training, options.minutes
    )
    pool.close()
    description = BundleDescription(
        kind=setup.kind,
        network=setup.arguments,
        views=setup.views,
        normalisation=normalisation,
        metadata_normalisation=None,
        raises_faint_rays=True,
        training={
            "samples": pool.received,
            "steps": result.epochs * options.steps,
            "validation_f1": result.f1,
            "minutes": result.minutes,
        },
        versions=library_versions(),
    )
    return Bundle(description, task.network.cpu().eval())


def calibrate(bundle: Bundle, worlds: Sequence[World]) -> Bundle:
    """Fit the calibration of a network on planets not used for its training; all planets have the same weight."""
    networks = Ensemble((with_calibration(bundle, None),))
    cells = np.concatenate([predicted_cells(networks, world) for world in worlds], axis=1)
    return with_calibration(bundle, asdict(fit_calibration(*cells)))


def with_calibration(bundle: Bundle, calibration: dict[str, float] | None) -> Bundle:
    """The same network with another calibration."""
    description = bundle.description.model_copy(update={"calibration": calibration})
    return replace(bundle, description=description)


def predicted_cells(networks: Ensemble, world: World) -> np.ndarray:
    """Probability, range in crater radii, truth and weight of the cells of all craters' polar views, shape (4, n).

    Cells inside the rim, or with a probability of at most 0.02, are left out; the weights add up to 1.
    """
    cells = []
    predictor = PolarPredictor(networks, world.mosaic, world.craters)
    for crater in world.craters:
        prediction = predictor.predict(crater)
        probability, view = prediction.probability, prediction.view
        places = view.places()
        range_radii = view.row_ranges_m()[:, None] / crater.radius_m
        values = np.stack(
            np.broadcast_arrays(
                probability,
                range_radii,
                world.labels.sample(crater.crater_id, places.lon, places.lat),
                view.cell_area_m2(),
            )
        )
        cells.append(values[:, (probability > 0.02) & (range_radii > 1)])
    all_cells = np.concatenate(cells, axis=1)
    all_cells[3] /= all_cells[3].sum()
    return all_cells


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--workers", type=int, default=1, help="processes that make worlds")
    parser.add_argument("--start", type=Path, help="bundle of a context network to start from")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first world")
    parser.add_argument(
        "--real", type=Path, nargs="*", default=(), help="projects with traced craters"
    )
    parser.add_argument("--width", type=int, help="of simulated mosaics; default: it varies")
    parser.add_argument("--rate", type=float, default=0.001, help="initial learning rate")
    parser.add_argument("--batch", type=int, default=32, help="polar views in a batch")
    parser.add_argument("--steps", type=int, default=250, help="batches between validations")
    parser.add_argument("--pool", type=int, default=4000, help="polar views in memory, 4 MB each")
    parser.add_argument("--calibration-planets", type=int, default=8)
    return parser.parse_args()


def main() -> None:
    """Run from the command line."""
    options = parse_arguments()
    optimiser = f"{{name: AdamW, arguments: {{lr: {options.rate}, weight_decay: 0.01}}}}"
    project = simulated_project(
        options.folder,
        "project",
        0,
        VALIDATION_SEED,
        options.width or VALIDATION_WIDTH_PX,
        changes=[*CHANGES, f"context.optimiser={optimiser}"],
    )
    bundle = train_on_simulations(project, options)
    folder = options.folder / "weights" / "context" / "member-00"
    save_bundle(bundle, folder, half=True)
    if options.calibration_planets:
        seeds = range(CALIBRATION_SEED, CALIBRATION_SEED + options.calibration_planets)
        bundle = calibrate(bundle, [simulated_world(seed, options.width) for seed in seeds])
        save_bundle(bundle, folder, half=True)


if __name__ == "__main__":
    main()
