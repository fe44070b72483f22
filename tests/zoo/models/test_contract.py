"""The contract of all models, for each registered one and its variants."""

import pytest

import zoo.testing
from zoo.core import registry

CASES = [
    pytest.param(check, id=f"{name}, {variant}: {clause}" if variant else f"{name}: {clause}")
    for name, method in registry.methods().items()
    for variant in (None, *method.variants)
    for clause, check in zoo.testing.checks(method.cls, variant)
]


@pytest.mark.parametrize("check", CASES)
def test_contract(check):
    check()
