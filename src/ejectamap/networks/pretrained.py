"""Networks with ImageNet weights if these are available, otherwise with random ones.

timm and smp download their weights from the Hugging Face hub. Without an internet connection the hub's client retries
for most of a minute. Therefore one request with a short timeout tests whether the hub answers. If it does not, the
client is set to offline mode, in which it only uses weights that were downloaded before.
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
    """Build a network with ImageNet weights if `pretrained` and possible, otherwise with random weights.

    Parameters
    ----------
    build : callable
        Builds the network; its argument is whether to load ImageNet weights.
    name : str
        Name of the architecture, for the warning that is logged once if its weights are not available.
    pretrained : bool
        Whether to load ImageNet weights.
    """
    if pretrained:
        try:
            with _offline_unless_hub_answers():
                return build(True)
        except (OSError, RuntimeError) as problem:
            # The hub's errors are OSErrors; timm raises RuntimeError if an architecture has no weights.
            reason = str(problem).splitlines()[0]
            _warn_once(name, reason if _hub_answers() else "the Hugging Face hub does not answer")
    return build(False)


@cache
def _warn_once(name: str, reason: str) -> None:
    logger.warning("no ImageNet weights for %s, starting from random ones: %s", name, reason)


@cache
def _hub_answers() -> bool:
    """Whether the hub answers a request, with any status; tested once per process."""
    try:
        huggingface_hub.get_session().head(constants.ENDPOINT, timeout=PROBE_TIMEOUT_S)
    except Exception:  # the error classes depend on the HTTP library that the hub's client uses
        return False
    return True


@contextmanager
def _offline_unless_hub_answers() -> Iterator[None]:
    # The client reads its environment variables only when it is imported, so its constant has to be set.
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _hub_answers()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
