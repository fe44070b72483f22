"""The figures of RBMs: of models whose priors and posteriors have known modes."""

import pytest
from runs import FakeRun
from small_rbms import BIASED, FERROMAGNET, batch_of

import zoo
from zoo import analysis
from zoo.analysis import rbms


@pytest.fixture(scope="module")
def runs(digits):
    """Their priors are the ferromagnet, the posteriors of the first have the biases "BIASED"."""
    undirected, directed = models = [
        zoo.DVAE.for_data(
            digits, latent_dims=(4, 4), hidden=(4,), num_particles=4, posterior=posterior
        )
        for posterior in ("undirected", "directed")
    ]
    for model in models:
        for variable, value in zip(model.prior_part.parameters, batch_of(FERROMAGNET), strict=True):
            variable.assign(value[0])
        model.compile(jit_compile=False)
    # The network gives J sqrt(n1 n2), with W = 4 J, and the fields b / 2 + sum_j W / 4.
    part, (bias, weights) = undirected.posterior_part, BIASED
    for head, value in ((part.couplings, weights), (part.fields, bias / 2 + weights)):
        head.set_weights([0 * head.kernel.numpy(), value + 0 * head.bias.numpy()])
    return [FakeRun("undirected", undirected, digits), FakeRun("directed", directed, digits)]


FEW = {"num_images": 3, "num_draws": 50, "num_increments": 20}


def test_figure_of_modes(runs):
    plot = analysis.draw("rbm_modes", runs, **FEW)
    prior, *posteriors, other = [dict(zip(plot.columns, row, strict=True)) for row in plot.rows]
    assert [row["image"] for row in posteriors] == [0, 1, 2]
    assert (prior["run"], other["run"]) == ("undirected", "directed")
    for row in (prior, other):
        assert (row["rbm"], row["image"], row["num_modes"]) == ("prior", "", 2)
        assert 0.5 <= row["largest_share"] < 0.9
        assert (row["kl"], row["stderr"]) == (pytest.approx(0.6932, abs=1e-4), 0)
    (biased,) = rbms.mean_field_modes(batch_of(BIASED), num_draws=10, jit_compile=False)
    for row in posteriors:
        assert (row["rbm"], row["num_modes"], row["largest_share"]) == ("posterior", 1, 1)
        assert row["kl"] == pytest.approx(biased.kl[0], rel=1e-2)
    left, middle, _ = plot.figure.axes
    assert [axes.get_title() for axes in (left, middle)] == ["prior", "posteriors"]
    assert [bar.get_height() for bar in middle.patches] == [1]
    directed = [row for row in plot.rows if row[0] == "directed"]
    assert analysis.draw("rbm_modes", runs[1:], **FEW).rows == directed
    assert analysis.draw("rbm_modes", runs[1:], **FEW, seed=1).rows != directed


def test_figure_of_errors(runs):
    settings = {"num_images": 2, "num_temperatures": (8, 64), "num_chains": 20}
    plot = analysis.draw("rbm_log_normalizer_error", runs, **settings)
    found = {}
    for *part, source, size, error, stddev in plot.rows:
        assert source == "enumeration"
        found.setdefault(tuple(part), []).append([size, error, stddev])
    both = [("undirected", part) for part in ("prior", "posterior")] + [("directed", "prior")]
    assert list(found) == [(*part, start) for part in both for start in ("zero", "bias", "spin")]
    for (_, part, start), rows in found.items():
        assert [row[0] for row in rows] == [8, 64]
        # From the prior's biases all chains start at zeros.
        assert rows[0][1] > 2 * rows[1][1] or (part, start) == ("prior", "bias") or start == "spin"
    drawn = plot.figure.axes[0].get_lines()[3].get_ydata().tolist()
    assert drawn == [row[1] for row in found["undirected", "posterior", "zero"]]


def test_what_is_refused(digits, runs, images):
    other = FakeRun("vae", zoo.VAE.for_data(digits, latent_dim=2, hidden=(4,)), digits)
    error = "rbm_log_normalizer_error"
    for message, call in (
        ("an RBM as its prior.*has not", lambda: analysis.draw("rbm_modes", [runs[0], other])),
        ("an RBM as its prior.*has not", lambda: analysis.draw(error, [runs[0], other])),
        ("RBMs as its post.*has not", lambda: rbms.posterior_rbms(runs[1].model, images)),
        ("RBMs as its post.*has not", lambda: rbms.posterior_rbms(other.model, images)),
        ("num_repeats must be at least 2", lambda: analysis.draw(error, runs, num_repeats=1)),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            call()
