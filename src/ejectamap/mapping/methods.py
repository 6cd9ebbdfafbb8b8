"""What a method is: a way to get from a crater to its probabilities on the mosaic's own grid.

A method is made once per process, from a project with trained networks, and then applied to one crater after another.
To add one, derive a class from `Method` in a file of its own, and add its line to `project.methods.METHODS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pkgutil import resolve_name

import numpy as np

from ejectamap.maps.backend_choice import backend_names
from ejectamap.maps.crater_map import CraterMap
from ejectamap.maps.rasters import StripReader
from ejectamap.networks.ensemble import Ensemble
from ejectamap.project.folder import Project
from ejectamap.project.methods import METHODS
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.mosaic import Floats


class Method(ABC):
    """A way to get from a crater to its probabilities.

    Parameters
    ----------
    project : Project
    ensembles : mapping of str to Ensemble
        The trained networks of each kind that its description in `project.methods` names.
    """

    def __init__(self, project: Project, ensembles: Mapping[str, Ensemble]) -> None:
        self.project = project
        self.ensembles = ensembles

    @abstractmethod
    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater."""


def load_method(project: Project) -> Method:
    """Load the method that the project's settings name, with its trained networks.

    Raises
    ------
    BundleError, SettingsError
        If a network is missing, damaged or made for another number of bands, or this machine lacks something for the
        backend.
    """
    ensembles = {kind: load_ensemble(project, kind) for kind in project.settings.network_configs}
    method_class: type[Method] = resolve_name(METHODS[project.settings.method].implementation)
    return method_class(project, ensembles)


def load_ensemble(project: Project, kind: str) -> Ensemble:
    """The project's trained networks of a kind, on their backend; errors as in `load_method`."""
    backend = backend_names(project)[kind]
    return Ensemble.load(project.networks_folder(kind), project.mosaic.bands, backend)


def single_network_methods(method: Method) -> list[Method]:
    """The method with one network of each kind at a time: where their maps differ the networks disagree.

    As many as the largest ensemble has networks; the networks of smaller ones are repeated in turn.
    """
    count = max(map(len, method.ensembles.values()), default=1)
    return [
        type(method)(
            method.project, {kind: each.member(k) for kind, each in method.ensembles.items()}
        )
        for k in range(count)
    ]


def mask_no_data(probability: StripReader, project: Project) -> StripReader:
    """The same probabilities with nan where the mosaic has no data."""

    def read_strip(strip: Window) -> Floats:
        values = probability(strip)
        valid = project.mosaic.read_valid(strip)
        if not valid.all():
            values[~valid] = np.nan
        return values

    return read_strip
