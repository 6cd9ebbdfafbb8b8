"""The ceiling that people set: how well two of them agree on the same craters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ejectamap.errors import LabelError
from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.scores import Evaluation, Scores, pool
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels


@dataclass(frozen=True)
class Ceiling:
    """Two people's labels of the same craters.

    Attributes
    ----------
    annotators : Evaluation
        The second person's labels, judged by the first one's as if they were a map.
    map : Scores
        The map, judged by the first person's labels on the same craters.
    """

    annotators: Evaluation
    map: Scores

    def to_dict(self) -> dict[str, Any]:
        """Everything under its name, ready for JSON."""
        people = self.annotators.to_dict()
        return {
            "annotators": people["all"],
            "intervals": people["intervals"]["all"],
            "map": self.map.to_dict(),
            "craters": people["craters"],
        }


def find_ceiling(
    evaluation: Evaluation, labels: Labels, second: Labels, craters: Sequence[Crater], tile_px: int
) -> Ceiling:
    """Judge a second person's labels by the first one's, on the craters that both drew and that are mapped.

    Where the labels name tiles, both people are taken to have labelled all of them.

    Raises
    ------
    LabelError
        If there is no such crater.
    """
    shared = [c for c in craters if c.crater_id in labels.masks and c.crater_id in second.masks]
    ids = {crater.crater_id for crater in shared}
    rows = [row for row in evaluation.craters if row.crater_id in ids]
    if not rows:
        raise LabelError(
            "--second-labels: has no crater in common with the project's labels and map: check the ids"
        )
    agreement = evaluate(labels, shared, second.read, None, tile_px=tile_px)
    return Ceiling(agreement, pool([row.scores for row in rows]))
