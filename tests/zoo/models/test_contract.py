"""The contract of all models, for each registered one and its variants."""

import pytest

import zoo.testing
from zoo.core import registry

# To trace a program takes longest, and most have theirs of a base: these clauses are asked of one
# model of each kind by default, and of all in `slow`.
OF_EACH_KIND = {
    "comes_back_from_a_preset": ("HMCDLGM", "M1M2", "VAE"),
    "exports_what_it_answers": ("DVAE", "GLO", "HMCDLGM"),
    "answers_by_seed": ("DVAE", "HMCDLGM", "ShortRun"),
    "evaluates_without_a_trace": ("DVAE", "HMCDLGM", "ShortRun"),
    "goes_on_from_files": ("DVAE, undirected", "GLO", "HMCDLGM", "M1M2", "ShortRun"),
}

# What takes longest to compile, of models that a variant, a base or other tests stand for.
LONG = {
    "trains": (
        *("DRAW", "DRAW, without attention", "HMCDRAW", "HVI", "LMCVAE", "MHHMC", "UHA"),
        *("ConvolutionalClassifier, pooling", "DVAE, concrete", "VAE, planar", "VAE, two layers"),
        *("StructuredPrediction, undirected", "VIMCO", "VRNN, independent prior"),
    ),
    "reports_what_its_methods_return": ("DRAW", "HMCDRAW", "DVAE, concrete"),
    "weighs_rightly": (
        *("ABP", "DRAW, without attention", "HMCM2", "StructuredPrediction, undirected"),
        *("VRNN, independent prior",),
    ),
}


def cases():
    for name, method in registry.methods().items():
        for variant in (None, *method.variants):
            specimen = f"{name}, {variant}" if variant else name
            for clause, check in zoo.testing.checks(method.cls, variant):
                left_out = clause in OF_EACH_KIND and specimen not in OF_EACH_KIND[clause]
                left_out |= specimen in LONG.get(clause, ())
                marks = [pytest.mark.slow] * left_out
                yield pytest.param(check, id=f"{specimen}: {clause}", marks=marks)


@pytest.mark.parametrize("check", cases())
def test_contract(check):
    check()
