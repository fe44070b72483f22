"""Callbacks of programs, on logs that no model made."""

import csv

from zoo.runs.callbacks import MetricsTable


def write(path, epochs):
    """As a `fit` does of these epochs, whose logs are given by their numbers."""
    table = MetricsTable(path)
    table.on_train_begin()
    for epoch, logs in epochs.items():
        table.on_epoch_end(epoch, logs)
    table.on_train_end()


def test_a_table_goes_on_in_its_columns(tmp_path):
    """Though the first epoch that comes has no validation, or has one and others had none."""
    path = tmp_path / "metrics.csv"
    validated, other = {"loss": 3.0, "val_loss": 4.0, "bound": -3.0}, {"bound": -2.0, "loss": 2.0}
    write(path, {0: validated, 1: other})
    write(path, {2: other})
    write(path, {3: validated})
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(set(row) == {"epoch", "bound", "loss", "val_loss"} for row in rows)
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["val_loss"] for row in rows] == ["4.0", "NA", "NA", "4.0"]
    assert [row["loss"] for row in rows] == ["3.0", "2.0", "2.0", "3.0"]
