"""One ejecta map per fresh crater, for a whole planet.

    import ejectamap as em

    project = em.Project.create("mercury", "mosaic.tif", "craters.csv", "labels")
    em.train(project, max_minutes=60)
    ejecta = em.map(project)
    ejecta.probability(12).plot()

Projects
    Project             a folder with settings, inputs and outputs: Project.create, Project.open
    simulate            make a planet with known ejecta to try things on

Stages; each takes a Project or its folder, and writes what the command of the same name writes
    train               train networks on the labels           -> TrainingResult
    map                 map every crater's ejecta              -> EjectaMap
    evaluate            compare the map with the labels        -> Evaluation
    analyze             measure each crater's ejecta and rays  -> pandas.DataFrame

Results
    EjectaMap           a finished map
        .probability, .mask, .origin        lazy xarray.DataArray on the mosaic's pixels
        .azimuthal, .polar                  xarray.Dataset of map and mosaic around one crater
        .polygons, .rays                    geopandas.GeoDataFrame
        .craters, .connections, .spectra    tables
        .plot, .explore                     pictures
    Evaluation          figures of merit: .to_frame
    TrainingResult      what was trained, and why: .to_frame

Data by themselves
    read_mosaic         a mosaic as a lazy xarray.DataArray
    read_craters        a catalogue as a geopandas.GeoDataFrame
    score               figures of merit of two masks in memory  -> Counts

Errors
    EjectamapError      what a user can mend, a subclass for each kind (ejectamap.errors); the message is one line

Conventions: a place is (lon, lat) in degrees, longitude east-positive from -180 to 180, latitude planetocentric, on a
sphere; lengths are in metres unless a name says otherwise; the coordinates of arrays and polygons are those of the
mosaic's CRS. Functions print nothing: progress is shown on a terminal or in a notebook with ipywidgets, unless
`progress=False`, and warnings are logged (logging.getLogger("ejectamap")).
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ejectamap.caches import provide_caches

if TYPE_CHECKING:
    from ejectamap.api.ejecta_map import EjectaMap
    from ejectamap.api.reading import read_craters, read_mosaic
    from ejectamap.api.scores import score
    from ejectamap.api.stages import analyze, evaluate, map, simulate, train
    from ejectamap.errors import EjectamapError
    from ejectamap.evaluation.counts import Counts
    from ejectamap.evaluation.scores import Evaluation
    from ejectamap.project.folder import Project
    from ejectamap.training.result import TrainingResult

__version__ = "0.1.0"

__all__ = [
    "Counts",
    "EjectaMap",
    "EjectamapError",
    "Evaluation",
    "Project",
    "TrainingResult",
    "analyze",
    "evaluate",
    "map",
    "read_craters",
    "read_mosaic",
    "score",
    "simulate",
    "train",
]

# Libraries that take seconds to load are loaded when a name is first used.
_MODULES = {
    "Counts": "evaluation.counts",
    "EjectaMap": "api.ejecta_map",
    "EjectamapError": "errors",
    "Evaluation": "evaluation.scores",
    "Project": "project.folder",
    "TrainingResult": "training.result",
    "analyze": "api.stages",
    "evaluate": "api.stages",
    "map": "api.stages",
    "read_craters": "api.reading",
    "read_mosaic": "api.reading",
    "score": "api.scores",
    "simulate": "api.stages",
    "train": "api.stages",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())
provide_caches()


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
