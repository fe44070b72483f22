"""The VAE with a NICE posterior, as Rezende and Mohamed (2015) compare with theirs."""

from zoo.runs.config import choose
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES | {"cifar10": _hoffman.PRESETS}
POSTERIOR = {"name": "nice", "num_flows": 10, "mixing": "permutation"}


def get_config(choice=""):
    return _hoffman.config(*choose(choice, CHOICES), name="VAE", posterior=POSTERIOR)
