"""Exports of models as SavedModels, and how fast they answer."""

from zoo.serving.export import concrete_functions, export
from zoo.serving.latency import Latencies, latencies, warmup_requests

__all__ = ["Latencies", "concrete_functions", "export", "latencies", "warmup_requests"]
