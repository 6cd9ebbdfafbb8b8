"""From trained networks to maps: one crater at a time."""

from ejectamap.mapping.run import is_current, map_project, mapped_craters, require_mapped

__all__ = ["is_current", "map_project", "mapped_craters", "require_mapped"]
