"""Two workers on this machine, and what they end with."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
from programs import ROOT


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def start(*command):
    """Two processes of a command, one for each worker, whose errors can be read."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = []
    for index in range(2):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        processes.append(
            subprocess.Popen(
                [sys.executable, *map(str, command)],
                env=os.environ | {"TF_CONFIG": json.dumps(task)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
        )
    return processes


def train_all(folder):
    """In each worker: trains every model a little, and writes all its variables."""
    from zoo.runs import strategies

    strategy = strategies.make_strategy("multi_worker")
    import training

    import zoo
    from zoo.core import registry

    index = strategies.cluster()[1]
    with strategies.watching_workers(strategy):
        for name in zoo.method_names():
            data = zoo.data.load(registry.methods()[name].data)
            with strategy.scope():
                model = training.build(zoo.get_method(name), data, jit_compile=True)
            training.fit(model, data, epochs=2)
            np.savez(f"{folder}/{name}-{index}.npz", *training.weights(model))


if __name__ == "__main__":
    train_all(sys.argv[1])
