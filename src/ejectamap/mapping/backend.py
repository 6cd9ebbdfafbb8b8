"""Which backend a project's networks run on: the one that is set, or the best in a trial that is held once.

The outcome of a trial is kept in `.backend.json` beside the map, and every process takes it from there: a map never
changes its backend halfway. A trial is held again when the networks, the machine or the libraries are others.
"""

import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ejectamap.mapping.cost import sample_inputs
from ejectamap.mapping.files import hash_file, replace_file
from ejectamap.networks.backends import choose_backend, usable_backends
from ejectamap.networks.bundle import WEIGHTS_NAME, library_versions
from ejectamap.networks.ensemble import Ensemble
from ejectamap.project import Project

_PICTURES = 64


def backend_names(project: Project) -> dict[str, str]:
    """Backend of each kind of network that the method needs; eager where no trial was held yet."""
    wanted = project.settings.map.backend
    chosen = _read(project).get("chosen", {}) if wanted == "auto" else {}
    default = "eager" if wanted == "auto" else wanted
    return {kind: str(chosen.get(kind, default)) for kind in project.settings.fittings}


def load_ensemble(project: Project, kind: str) -> Ensemble:
    """The project's trained networks of a kind, on their backend.

    Raises
    ------
    BundleError, SettingsError
        If a network cannot be used, or this machine lacks something for the backend.
    """
    backend = backend_names(project)[kind]
    return Ensemble.load(project.networks(kind), project.mosaic.bands, backend)


def settle_backends(project: Project) -> None:
    """With `map.backend` auto: hold a trial on real pictures of the project, unless its outcome is there already."""
    if project.settings.map.backend != "auto":
        return
    circumstances = _circumstances(project)
    if _read(project).get("circumstances") == circumstances:
        return
    chosen, trials = {}, {}
    for kind in project.settings.fittings:
        chosen[kind], tried = choose_backend(usable_backends(), _answers(project, kind))
        trials[kind] = {name: asdict(trial) for name, trial in tried.items()}
    content = {"circumstances": circumstances, "chosen": chosen, "trials": trials}
    text = json.dumps(content, indent=2) + "\n"
    project.outputs.mkdir(parents=True, exist_ok=True)
    replace_file(_path(project), memoryview(text.encode()))


def _answers(project: Project, kind: str) -> Callable[[str], Callable[[], Tensor]]:
    """From a backend's name to a function that asks the project's networks about the same few pictures."""
    inputs = sample_inputs(project, kind, project.tile_side_m, _PICTURES)

    def load(backend: str) -> Callable[[], Tensor]:
        ensemble = Ensemble.load(project.networks(kind), project.mosaic.bands, backend)
        return lambda: ensemble.probabilities(*inputs)

    return load


def _circumstances(project: Project) -> dict[str, Any]:
    """What the outcome of a trial depends on."""
    weights = {
        "/".join(path.parts[-3:]): hash_file(path)
        for kind in project.settings.fittings
        for path in sorted(project.networks(kind).glob(f"[!.]*/{WEIGHTS_NAME}"))
    }
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    machine = [platform.machine(), torch.cpu.get_capabilities().get("cpu_name"), gpu]
    return {"weights": weights, "machine": machine, "versions": library_versions()}


def _path(project: Project) -> Path:
    return project.outputs / ".backend.json"


def _read(project: Project) -> dict[str, Any]:
    """The outcome of the last trial; empty if there was none."""
    try:
        content = json.loads(_path(project).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
