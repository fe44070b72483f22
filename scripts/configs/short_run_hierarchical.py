"""Short-run MCMC with independent latents (Nijkamp et al. 2020, section 5.4)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _nijkamp

CHOICES = _nijkamp.CHOICES


def get_config(choice=""):
    return _nijkamp.short_run_config(
        *choose(choice, CHOICES), name="ShortRun", num_steps=25, hierarchical=True
    )
