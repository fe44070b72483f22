"""The VAE with an inverse autoregressive flow as its posterior (Kingma et al. 2016)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES | {"cifar10": _hoffman.PRESETS}
POSTERIOR = {"name": "iaf", "num_flows": 2}


def get_config(choice=""):
    made = _hoffman.config(*choose(choice, CHOICES), name="VAE", posterior=POSTERIOR)
    made.evaluation.start = "prior"  # such a posterior scores its own draws alone
    return made
