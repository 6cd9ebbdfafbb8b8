"""How good a map is, against what people drew."""

from ejectamap.evaluation.run import evaluate_project
from ejectamap.evaluation.scores import value_of
from ejectamap.evaluation.tables import print_tables

__all__ = ["evaluate_project", "print_tables", "value_of"]
