"""ImageNet weights where they can be had, random ones where they cannot.

timm and smp both fetch their weights from the Hugging Face hub. Without a network the hub's client
tries again and again for most of a minute; here the hub is asked once, with a short timeout, and if
it does not answer its client is put into offline mode, in which it only looks at what was
downloaded before.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import huggingface_hub
from huggingface_hub import constants
from torch import nn

logger = logging.getLogger(__name__)

PROBE_TIMEOUT_S = 3.0


def with_weights(build: Callable[[bool], nn.Module], name: str, pretrained: bool) -> nn.Module:
    """Build a network with ImageNet weights if wanted and possible, else with random weights.

    Parameters
    ----------
    build : callable
        Builds the network; its one argument says whether to load ImageNet weights.
    name : str
        Name of the architecture, for the one warning that is logged when its weights cannot be had.
    pretrained : bool
        Whether ImageNet weights are wanted.
    """
    if pretrained:
        try:
            with _offline_unless_hub_answers():
                return build(True)
        except (
            OSError,
            RuntimeError,
        ) as problem:  # the hub's errors are OSErrors; timm: no such weights
            reason = str(problem).splitlines()[0]
            _warn_once(name, reason if _hub_answers() else "the Hugging Face hub does not answer")
    return build(False)


@cache
def _warn_once(name: str, reason: str) -> None:
    logger.warning("no ImageNet weights for %s, starting from random ones: %s", name, reason)


@cache
def _hub_answers() -> bool:
    """Ask the hub once per process; any answer will do."""
    try:
        huggingface_hub.get_session().head(constants.ENDPOINT, timeout=PROBE_TIMEOUT_S)
    except Exception:  # whatever HTTP library the hub's client is built on has its own errors
        return False
    return True


@contextmanager
def _offline_unless_hub_answers() -> Iterator[None]:
    # The client reads its environment when it is imported, so the switch itself has to be set.
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _hub_answers()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
