"""What the fuzz tests share: how many examples they try, and what a refusal is.

`make test` tries few examples of each; `make fuzz` sets FUZZ_EXAMPLES to many.
"""

import os
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, settings

from ejectamap.errors import EjectamapError

Result = TypeVar("Result")

_MANY = os.environ.get("FUZZ_EXAMPLES")

examples = settings(
    max_examples=int(_MANY or "15"),
    derandomize=_MANY is None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def read_or_refuse(read: Callable[[], Result]) -> Result | None:
    """What a reader returns, or None if it refuses its input with the package's own error, in one line.

    Any other exception, and any warning, is the caller's failure.
    """
    try:
        return read()
    except EjectamapError as error:
        message = str(error)
        assert message.isprintable(), repr(message)
        assert len(message) < 2000, message
        return None
