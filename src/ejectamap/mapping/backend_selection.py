"""Choose the fastest backend for a project's networks in a trial, once (see `maps.backend_choice`).

The trial is repeated when the networks, the machine or the libraries have changed.
"""

import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from ejectamap.files import hash_file, replace_file
from ejectamap.mapping.cost import sample_inputs
from ejectamap.maps.backend_choice import read_trial, trial_path
from ejectamap.networks.backends import choose_backend, usable_backends
from ejectamap.networks.ensemble import Ensemble
from ejectamap.project.bundles import WEIGHTS_NAME, library_versions
from ejectamap.project.folder import Project

_INPUTS = 64


def select_backends(project: Project) -> None:
    """With `map.backend` auto: run a trial on real inputs of the project, unless its outcome is known already."""
    if project.settings.map.backend != "auto":
        return
    circumstances = _circumstances(project)
    if read_trial(project).get("circumstances") == circumstances:
        return
    chosen, trials = {}, {}
    for kind in project.settings.network_configs:
        chosen[kind], outcome = choose_backend(usable_backends(), _predictor(project, kind))
        trials[kind] = {name: asdict(trial) for name, trial in outcome.items()}
    content = {"circumstances": circumstances, "chosen": chosen, "trials": trials}
    text = json.dumps(content, indent=2) + "\n"
    project.outputs.mkdir(parents=True, exist_ok=True)
    replace_file(trial_path(project), memoryview(text.encode()))


def _predictor(project: Project, kind: str) -> Callable[[str], Callable[[], Tensor]]:
    """From a backend's name to a function that runs the project's networks on the same few inputs."""
    inputs = sample_inputs(project, kind, project.tile_side_m, _INPUTS)

    def load(backend: str) -> Callable[[], Tensor]:
        ensemble = Ensemble.load(project.networks_folder(kind), project.mosaic.bands, backend)
        return lambda: ensemble.probabilities(*inputs)

    return load


def _circumstances(project: Project) -> dict[str, Any]:
    """Everything that the outcome of a trial depends on."""
    weights = {
        "/".join(path.parts[-3:]): hash_file(path)
        for kind in project.settings.network_configs
        for path in sorted(project.networks_folder(kind).glob(f"[!.]*/{WEIGHTS_NAME}"))
    }
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    machine = [platform.machine(), torch.cpu.get_capabilities().get("cpu_name"), gpu]
    return {"weights": weights, "machine": machine, "versions": library_versions()}
