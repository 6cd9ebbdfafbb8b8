"""A finished map as the networks made it: without the edits of people, which no evaluation should count as theirs."""

from collections.abc import Sequence
from functools import lru_cache

from ejectamap.maps.edits import edit_path
from ejectamap.maps.origin import Origins
from ejectamap.maps.rasters import exceeds
from ejectamap.maps.reader import MapReader
from ejectamap.maps.writing import compute_origin
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels


class UneditedMap(MapReader):
    """A project's map with the masks and origins that follow from the stored probabilities alone; not its overviews.

    Parameters
    ----------
    project : Project
    craters : sequence of Crater
        The mapped ones.
    """

    def __init__(self, project: Project, craters: Sequence[Crater]) -> None:
        super().__init__(project.maps, project.grid)
        self._project = project
        self._craters = craters
        self._edited = {c.crater_id for c in craters if edit_path(project, c.crater_id).is_file()}
        if self._edited:
            self._whole_origin = lru_cache(1)(self._compute_origin)

    def _load_mask(self, crater_id: int) -> Labels:
        if crater_id not in self._edited:
            return super()._load_mask(crater_id)
        window, stored = self._load_stored(crater_id)
        mask = exceeds(stored, self._project.settings.map.threshold)
        return Labels(self.grid, {crater_id: (window, mask)}, None)

    def _compute_origin(self) -> Origins:
        return compute_origin(self._project, self._craters, with_edits=False).origin
