"""Which runs can be compared by their scores."""

import pytest
from runs import scored_run

import zoo
from zoo import analysis
from zoo.analysis.comparison import scored_images

FIRST = {"name": "VAE", "likelihood": "bernoulli"}


@pytest.mark.parametrize("other", [{"name": "IWAE"}, {"hidden": (3,)}])
def test_other_methods_and_batches_do_not_matter(other):
    first, second = scored_run("first", **FIRST), scored_run("the second", **FIRST | other)
    assert first.config.data.batch_size != second.config.data.batch_size
    analysis.check_scored_alike([first, second])
    assert scored_images(first) == scored_images(second) == {"source": "digits", "num_images": 2}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"source": "mnist"}, "data must be .* it was {'source': 'digits'} in 'runs/first' and "),
        ({"likelihood": "gaussian"}, "likelihood must be the same in all runs; it was 'bernoulli'"),
        ({"num_images": 3}, "num_images must be the same .* 2 in 'runs/first' and 3 in 'runs/oth"),
        ({"protocol": "8 chains"}, "protocol must be the same .* it was '16 chains' in "),
        ({"seed": 1}, "seed must be the same in all runs; it was 0 in 'runs/first' and 1 in"),
    ],
)
def test_what_is_refused(other, message):
    runs = [scored_run("first", **FIRST), scored_run("other", **FIRST | other)]
    with pytest.raises(zoo.UsageError, match=message):
        analysis.check_scored_alike(runs)
    if "seed" in other:
        analysis.check_scored_alike(runs, seeds=False)
