"""The registry of figures, and the files of one."""

import csv
import pathlib
import pkgutil

import keras
import pytest
from matplotlib.figure import Figure

import zoo
from zoo import analysis
from zoo.analysis import registry


@pytest.fixture
def figures(monkeypatch):
    """Two figures in place of the others: one of runs and one of none."""
    monkeypatch.setattr(registry, "_FIGURES", {})

    @analysis.register_figure
    def stripes(runs, *, number: int = 2, seed: int = 0):
        """Shows stripes.

        More of them need not be said.
        """
        figure = Figure()
        figure.subplots().bar(range(len(runs)), [1] * len(runs))
        rows = [(run, f"{number}, {seed}") for run in runs]
        return analysis.Plot(figure, ("run", "settings"), rows)

    @analysis.register_figure
    def alone(*, seed: int = 0):
        """Shows nothing."""
        return analysis.Plot(Figure(), ("seed",), [(seed,)])


def test_figures_are_drawn_by_name(figures):
    assert analysis.descriptions() == {"alone": "Shows nothing.", "stripes": "Shows stripes."}
    drawn = analysis.draw("stripes", ["a", "b"], seed=3)
    assert drawn.rows == [("a", "2, 3"), ("b", "2, 3")]
    assert analysis.draw("alone", ["a"], seed=1).rows == [(1,)]


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (["stripe", ["a"]], {}, "figure: unknown value 'stripe'; did you mean 'stripes'"),
        (["stripes"], {}, "workdir must be given for stripes"),
        (["stripes", ["a"]], {"numbers": 3}, "settings of stripes: unknown value 'numbers'"),
        (["stripes", ["a"]], {"runs": []}, "settings of stripes: unknown value 'runs'"),
        (["alone"], {"number": 3}, "settings of alone: unknown value 'number'"),
    ],
)
def test_what_is_refused(figures, arguments, settings, message):
    with pytest.raises(zoo.UsageError, match=message):
        registry.check(*arguments, *([[]] if len(arguments) == 1 else []), settings)
    if "runs" not in settings:
        with pytest.raises(zoo.UsageError, match=message):
            analysis.draw(*arguments, **settings)


def test_every_file_that_registers_a_figure_is_imported():
    """And the figure is a name of the package, with a first line that says what it shows."""
    folder = pathlib.Path(analysis.__file__).parent
    files = [folder / f"{module.name}.py" for module in pkgutil.iter_modules([str(folder)])]
    registered = sum(file.read_text().count("@register_figure\n") for file in files)
    here = {k: f for k, f in registry.figures().items() if f.__module__.startswith("zoo.analysis")}
    assert len(here) == registered > 0
    for name, figure in here.items():
        assert getattr(analysis, name) is figure and name in analysis.__all__
        assert analysis.descriptions()[name].endswith(".")


def test_files(figures, tmp_path):
    plot = analysis.draw("stripes", ["a, b", "c"])
    analysis.write(plot, tmp_path, "map")
    assert {path.name for path in tmp_path.iterdir()} == {"map.png", "map.csv"}
    assert keras.utils.img_to_array(keras.utils.load_img(tmp_path / "map.png")).std() > 10
    with (tmp_path / "map.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["run", "settings"], ["a, b", "2, 0"], ["c", "2, 0"]]


def test_a_failure_leaves_the_older_table(figures, tmp_path):
    (tmp_path / "map.csv").write_text("older")
    plot = analysis.draw("stripes", ["a"])
    with pytest.raises(csv.Error):
        analysis.write(plot._replace(rows=[*plot.rows, 0]), tmp_path, "map")
    assert (tmp_path / "map.csv").read_text() == "older"
    assert not list(tmp_path.glob(".*"))
