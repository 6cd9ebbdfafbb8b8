"""A ranking study: people choose between two maps of a crater, without knowing whose they are."""

from ejectamap.pages.ranking.app import ranking_app
from ejectamap.pages.ranking.outcome import report_study
from ejectamap.pages.ranking.study import Study, open_study

__all__ = ["Study", "open_study", "ranking_app", "report_study"]
