"""The methods by name."""

from ejectamap.mapping.earlier import Agnostic, DistanceOnly
from ejectamap.mapping.guided import Guided
from ejectamap.mapping.methods import Method
from ejectamap.mapping.polar import Polar
from ejectamap.mapping.polar_connect import PolarConnect
from ejectamap.mapping.two_stage import TwoStage
from ejectamap.project import Project

METHODS: dict[str, type[Method]] = {
    "two-stage": TwoStage,
    "polar": Polar,
    "polar-connect": PolarConnect,
    "guided": Guided,
    "distance-only": DistanceOnly,
    "agnostic": Agnostic,
}


def load_method(project: Project) -> Method:
    """Load the method that the project's settings name, with its trained networks."""
    return METHODS[project.settings.method](project)
