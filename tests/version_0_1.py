"""The `project.yaml` of ejectamap 0.1: the same settings under the keys of that version."""

from copy import deepcopy
from typing import Any


def as_version_0_1(values: dict[str, Any]) -> dict[str, Any]:
    """Settings of today, as nested dictionaries, with the keys of 0.1: every key of then, and no version."""
    old = deepcopy(values)
    del old["version"]
    old["views"] |= {"rivals": False, "radial_up": False}
    old["views"] |= {"distance": "metres", "log_distance": True}
    old["training"]["plant"] = 0
    del old["map"]["keep_runs"]
    del old["inputs"]["columns"]
    for section in ("connection", "segmentation", "context"):
        old[section]["share"] = old[section].pop("budget_weight")
        old[section]["accumulate"] = 1
    old["segmentation"]["share_weights"] = old["segmentation"].pop("ejecta_ratio_weights")
    return old
