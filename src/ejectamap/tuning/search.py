"""Read a search's YAML file: settings to try, objectives, and projects to evaluate on."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from ejectamap.errors import SettingsError, unknown_name
from ejectamap.project.settings import Section, Settings
from ejectamap.project.yaml import make_settings
from ejectamap.project.yaml_text import printable, read_yaml
from ejectamap.tuning.space import Dimension, choice_label, decode_value, replace_settings

Objective = str | dict[str, float]
Direction = Literal["maximize", "minimize"]


class Search(Section):
    """A search for better settings.

    Attributes
    ----------
    maximise, minimise : tuple of Objective
        Figures of the evaluation by their names in evaluation.json ("test.pixel.f1"), or weighted sums of figures
        ({test.pixel.f1: 0.7, test.tile.f1: 0.3}). More than one objective in all gives a Pareto front of trials.
    judge_on : tuple of str
        Other projects, relative to the project folder, whose labels each trial's map is evaluated with; an objective is
        the mean over them. If there are none, part of the project's own training pairs is held out of all trials.
    held_out : float
        Fraction of the training pairs that is held out then, in (0, 1).
    prune : bool or None
        End trials early whose networks' validation F1 falls below the median of earlier trials. None: if there is one
        objective and all trials use one method.
    search : mapping of str to Dimension
        Choices or range of each setting, by the setting's dotted name.
    """

    maximise: tuple[Objective, ...] = ()
    minimise: tuple[Objective, ...] = ()
    judge_on: tuple[str, ...] = ()
    held_out: float = Field(0.2, gt=0, lt=1)
    prune: bool | None = None
    search: dict[str, Dimension] = Field(min_length=1)

    @field_validator("maximise", "minimise", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | dict) else value

    @model_validator(mode="after")
    def _is_possible(self) -> "Search":
        if not self.objectives:
            raise ValueError("name what to maximise or minimise, as in maximise: test.pixel.f1")
        if self.prune and not self._comparable:
            raise ValueError("prune: only trials of one method with one objective can be compared")
        for name, dimension in self.search.items():
            if name.startswith("inputs"):
                raise ValueError(f"search: {name}: inputs cannot be searched for")
            if isinstance(dimension, tuple):
                labels = {choice_label(choice) for choice in dimension}
                if len(labels) < max(2, len(dimension)):
                    raise ValueError(f"search: {name}: give at least two choices, each once")
        return self

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All objectives, in the order of the study's values."""
        return self.maximise + self.minimise

    @property
    def directions(self) -> list[Direction]:
        """Direction of each objective, as Optuna names it."""
        up: list[Direction] = ["maximize"] * len(self.maximise)
        down: list[Direction] = ["minimize"] * len(self.minimise)
        return up + down

    @cached_property
    def titles(self) -> list[str]:
        """Title of each objective in tables and plots."""
        return [
            o if isinstance(o, str) else " + ".join(f"{w:g} {name}" for name, w in o.items())
            for o in self.objectives
        ]

    @property
    def figures(self) -> list[str]:
        """Names of all figures in the objectives."""
        return [name for o in self.objectives for name in ([o] if isinstance(o, str) else o)]

    @property
    def prunes(self) -> bool:
        """Whether trials may be ended early."""
        return self._comparable if self.prune is None else self.prune

    @property
    def _comparable(self) -> bool:
        return len(self.objectives) == 1 and "method" not in self.search

    def settings(
        self, base: Settings, sampled: Mapping[str, Any], source: str = "the search"
    ) -> Settings:
        """The project's settings with values that Optuna sampled; `source` names their origin in error messages."""
        values = {name: decode_value(self.search[name], sampled[name]) for name in sampled}
        return make_settings(replace_settings(base.model_dump(mode="json"), values), source)


def read_search(path: Path) -> Search:
    """Read a search's YAML file.

    Raises
    ------
    SettingsError
        Naming the file, the key, and what is wrong with it.
    """
    values = read_yaml(path)
    for key in values:
        if key not in Search.model_fields:
            raise SettingsError(
                f"{path}: {unknown_name('key', printable(key), Search.model_fields)}"
            )
    try:
        return Search.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{path}: {_first_problem(error)}") from None


def _first_problem(error: ValidationError) -> str:
    """Describe the first problem of a validation in one line."""
    problem = error.errors()[0]
    where = ".".join(printable(key) for key in problem["loc"] if key not in ("range", "choices"))
    what = problem["msg"].removeprefix("Value error, ")[:300]
    return f"{where}: {what}" if where else what
