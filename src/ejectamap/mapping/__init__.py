"""From trained networks to maps: one crater at a time."""

from ejectamap.mapping.run import map_project, mapped_craters, require_mapped

__all__ = ["map_project", "mapped_craters", "require_mapped"]
