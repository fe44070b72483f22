"""Runs: configs, work directories and their files, checkpoints, strategies, what programs share."""
