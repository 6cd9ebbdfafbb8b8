"""What all parts of the settings share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]
Reach = Annotated[float, Field(gt=0.0, le=1.0)]
Pixels = Annotated[int, Field(ge=8)]


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(Section):
    """Something chosen by name, with its arguments."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
