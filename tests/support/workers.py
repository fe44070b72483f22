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


def start(*command, count=2, **kwargs):
    """The processes of a command, one for each worker; their output goes to their pipes."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    processes = []
    for index in range(count):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        processes.append(
            subprocess.Popen(
                [sys.executable, *map(str, command)],
                env=os.environ | {"TF_CONFIG": json.dumps(task)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                **kwargs,
            )
        )
    return processes


def train_all(folder):
    """In each worker: trains every model a little, and writes all its variables."""
    from zoo import distribution

    strategy = distribution.make_strategy("multi_worker")
    import contract

    import zoo

    index = distribution.cluster()[1]
    data = zoo.data.load("digits")
    with distribution.together(strategy):
        for name in zoo.method_names():
            with strategy.scope():
                model = contract.build(zoo.get_method(name), data, jit_compile=True)
            contract.fit(model, data, epochs=2)
            np.savez(f"{folder}/{name}-{index}.npz", *contract.weights(model))


if __name__ == "__main__":
    train_all(sys.argv[1])
