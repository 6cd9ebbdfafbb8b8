"""The search as its YAML file tells it: what to try, what to strive for, on whose labels to judge."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ejectamap.errors import SettingsError
from ejectamap.networks.names import unknown_name
from ejectamap.project import Settings
from ejectamap.project.section import Section
from ejectamap.project.yaml import make_settings
from ejectamap.tuning.space import Dimension, changed, label, value_behind

Objective = str | dict[str, float]
Direction = Literal["maximize", "minimize"]


class Search(Section):
    """A search for better settings.

    Attributes
    ----------
    maximise, minimise : tuple of Objective
        Figures of the evaluation by their names in evaluation.json ("test.pixel.f1"), or weighted sums of some
        ({test.pixel.f1: 0.7, test.tile.f1: 0.3}); with more than one in all the trials make a front.
    judge_on : tuple of str
        Other projects whose labels judge each trial's map, seen from the project folder; the mean counts. Without
        any, part of the project's own teaching pairs is kept out of all trials for that.
    held_out : float
        That part, in (0, 1).
    prune : bool or None
        Give trials up whose networks' validation F1 falls behind the median of the trials before them. None: if there
        is one objective and all trials use one method.
    search : mapping of str to Dimension
        By a setting's dotted name, its choices or its range.
    """

    maximise: tuple[Objective, ...] = ()
    minimise: tuple[Objective, ...] = ()
    judge_on: tuple[str, ...] = ()
    held_out: float = Field(0.2, gt=0, lt=1)
    prune: bool | None = None
    search: dict[str, Dimension] = Field(min_length=1)

    @field_validator("maximise", "minimise", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | dict) else value

    @model_validator(mode="after")
    def _is_possible(self) -> "Search":
        if not self.objectives:
            raise ValueError("say what to maximise or minimise, as in maximise: test.pixel.f1")
        if self.prune and not self._comparable:
            raise ValueError("prune: only trials of one method with one objective can be compared")
        for name, dimension in self.search.items():
            if name.startswith("inputs"):
                raise ValueError(f"search: {name}: inputs cannot be searched for")
            if isinstance(dimension, tuple) and len({label(c) for c in dimension}) < max(
                2, len(dimension)
            ):
                raise ValueError(f"search: {name}: give at least two choices, each once")
        return self

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All of them, in the order of the study's values."""
        return self.maximise + self.minimise

    @property
    def directions(self) -> list[Direction]:
        """Optuna's words for each objective."""
        up: list[Direction] = ["maximize"] * len(self.maximise)
        down: list[Direction] = ["minimize"] * len(self.minimise)
        return up + down

    @cached_property
    def titles(self) -> list[str]:
        """Each objective as tables and plots call it."""
        return [
            o if isinstance(o, str) else " + ".join(f"{w:g} {name}" for name, w in o.items())
            for o in self.objectives
        ]

    @property
    def figures(self) -> list[str]:
        """Names of all figures that the objectives are made of."""
        return [name for o in self.objectives for name in ([o] if isinstance(o, str) else o)]

    @property
    def prunes(self) -> bool:
        """Whether trials may be given up early."""
        return self._comparable if self.prune is None else self.prune

    @property
    def _comparable(self) -> bool:
        return len(self.objectives) == 1 and "method" not in self.search

    def settings(
        self, base: Settings, drawn: Mapping[str, Any], source: str = "the search"
    ) -> Settings:
        """The project's settings with what was drawn for some dimensions."""
        values = {name: value_behind(self.search[name], drawn[name]) for name in drawn}
        return make_settings(changed(base.model_dump(mode="json"), values), source)


def read_search(path: Path) -> Search:
    """Read a search's YAML file.

    Raises
    ------
    SettingsError
        Naming the file, the key, and what is wrong with it.
    """
    try:
        values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    except YAMLError as error:
        raise SettingsError(f"{path}: is not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: is empty or not a mapping: see examples/search_poster.yaml")
    for key in values:
        if key not in Search.model_fields:
            raise SettingsError(f"{path}: {unknown_name('key', str(key), Search.model_fields)}")
    try:
        return Search.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{path}: {next(_explanations(error))}") from None


def _explanations(error: ValidationError) -> Iterator[str]:
    """One line for each thing that is wrong."""
    for part in error.errors():
        where = ".".join(str(key) for key in part["loc"] if key not in ("range", "choices"))
        what = part["msg"].removeprefix("Value error, ")
        yield f"{where}: {what}" if where else what
