"""Settings of earlier versions: keys that were renamed, and keys of options that were removed.

A `project.yaml` without a `version` was written by ejectamap 0.1, which wrote every key. Its renamed keys are read
under their new names, and removed options are dropped where they were off. In files with a `version`, and in `--set`,
both are errors.
"""

from typing import Any

from ejectamap.errors import SettingsError

RENAMED = {"share": "budget_weight", "share_weights": "ejecta_ratio_weights"}
"""Old name to new name, in every section."""

REMOVED: dict[str, Any] = {
    "rivals": False,
    "radial_up": False,
    "distance": "metres",
    "log_distance": True,
    "accumulate": 1,
    "plant": 0,
}
"""Removed options, in every section, and the value at which each had no effect."""


def migrate(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Bring the nested settings of a file without a `version` to today's keys.

    Raises
    ------
    SettingsError
        If an option that was removed is on.
    """
    return {
        key: _migrate_section(key, value, source) if isinstance(value, dict) else value
        for key, value in values.items()
    }


def explain_old_key(path: list[str]) -> str | None:
    """Message about a renamed or removed key, without the name of the file; None for other keys."""
    key, name = ".".join(path), path[-1]
    if name in RENAMED:
        return f"setting {key} is now {'.'.join([*path[:-1], RENAMED[name]])}: rename it"
    if name in REMOVED:
        return f"setting {key} was removed, it had no measured benefit: remove it"
    return None


def drop_removed(values: dict[str, Any], section: str = "") -> dict[str, Any]:
    """The keys of a section without removed options, where these had no effect.

    Raises
    ------
    SettingsError
        If an option that was removed is on.
    """
    for key in values.keys() & REMOVED.keys():
        if values[key] != REMOVED[key]:
            raise SettingsError(
                f"{section}{key} = {values[key]!r}: this option was removed, it had no measured benefit"
            )
    return {key: value for key, value in values.items() if key not in REMOVED}


def _migrate_section(section: str, values: dict[str, Any], source: str) -> dict[str, Any]:
    try:
        kept = drop_removed(values, f"{section}.")
    except SettingsError as error:
        raise SettingsError(
            f"{source}: setting {error}: remove the line, then train and map again"
        ) from None
    return {RENAMED.get(key, key): value for key, value in kept.items()}
