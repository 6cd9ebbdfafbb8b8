"""Reading evaluation.json."""

import json
from typing import Any

from ejectamap.evaluation.tables import figure_tables, reliability_table, wrong_origin_table
from ejectamap.outputs import reading
from ejectamap.project.folder import Project


def read_evaluation(project: Project) -> dict[str, Any] | None:
    """Read a project's evaluation.json; None if there is none.

    Raises
    ------
    OutputError
        If it is damaged: all tables of figures can be made of one that is not.
    """
    path = project.outputs / "evaluation.json"
    if not path.exists():
        return None
    with reading(path, f"run ejectamap evaluate {project.folder} again"):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        figure_tables(content)
        wrong_origin_table(content)
        reliability_table(content)
        for row in content["craters"]:
            row["crater_id"], row["pixel"]["f1"]
        content["split"], content["test"]["pixel"]["f1"], content["all"]["pixel"]["f1"]
    return content
