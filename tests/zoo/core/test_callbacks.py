"""The callbacks of every fit, by what they are told."""

import logging

from zoo.core.callbacks import ChainHealth


def warnings(caplog, epochs, **logs):
    """What is said of so many epochs that all have these means."""
    callback = ChainHealth()
    callback.set_params({"epochs": epochs})
    caplog.clear()
    with caplog.at_level(logging.WARNING, "absl"):
        for epoch in range(epochs):
            callback.on_epoch_end(epoch, logs)
    return [record.getMessage() for record in caplog.records]


def test_chains_that_are_stuck_or_diverge_are_told_once(caplog):
    """In the second epoch, since in the first all is still far off; or where there is but one."""
    assert not warnings(caplog, 3, accept_rate=0.9, energy_error=1.0, divergences=0.0, bound=-1e9)
    told = warnings(caplog, 3, accept_rate=0.05, energy_error=50.0, divergences=0.5)
    for message, start in zip(
        told,
        [
            "epoch 2: accept_rate is 0.05; chains hardly move: give smaller step sizes",
            "epoch 2: energy_error is 50 nats; trajectories are far off: give smaller step sizes",
            "epoch 2: divergences are 0.5; trajectories diverge: give smaller step sizes",
        ],
        strict=True,
    ):
        assert message.startswith(start)
    assert [m[:7] for m in warnings(caplog, 1, accept_rate=0.05)] == ["epoch 1"]
