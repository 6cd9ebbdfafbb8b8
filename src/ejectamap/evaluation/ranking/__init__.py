"""A ranking study: what people prefer, which figures agree with them, and which weighted sum agrees best."""

from ejectamap.evaluation.ranking.choices import (
    OUTCOMES,
    UNDO,
    Choice,
    append_choice,
    pair_outcomes,
    read_choices,
)
from ejectamap.evaluation.ranking.figures import ReadMap, figures_of
from ejectamap.evaluation.ranking.report import Ranking, rank, write_ranking
from ejectamap.evaluation.ranking.tables import print_ranking

__all__ = [
    "OUTCOMES",
    "UNDO",
    "Choice",
    "Ranking",
    "ReadMap",
    "append_choice",
    "figures_of",
    "pair_outcomes",
    "print_ranking",
    "rank",
    "read_choices",
    "write_ranking",
]
