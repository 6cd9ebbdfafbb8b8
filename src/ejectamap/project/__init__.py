"""A project: one folder with settings, inputs and outputs."""

from ejectamap.project.folder import Project
from ejectamap.project.settings import Settings

__all__ = ["Project", "Settings"]
