"""The methods by name."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from ejectamap.mapping.earlier import Agnostic, DistanceOnly
from ejectamap.mapping.guided import Guided
from ejectamap.mapping.methods import Method
from ejectamap.mapping.polar import Polar
from ejectamap.mapping.polar_connect import PolarConnect
from ejectamap.mapping.two_stage import TwoStage
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_answer import PolarSurvey
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


def committee(method: Method) -> list[Method]:
    """The same method with one network of each kind at a time: as many as the largest of its ensembles has members.

    Smaller ensembles take turns. Where these methods differ the networks disagree.
    """
    askers: Mapping[str, Any] = {
        name: x for name, x in vars(method).items() if isinstance(x, Ensemble | PolarSurvey)
    }
    members = []
    for k in range(max(map(len, askers.values()), default=1)):
        member = copy(method)
        vars(member).update({name: asker.alone(k) for name, asker in askers.items()})
        members.append(member)
    return members
