"""Experiments: configs, work directories, checkpoints, strategies and what programs share."""
