"""The contract of all models, for methods of the zoo and of anybody's own package.

    def test_contract():
        zoo.testing.check_model(MyModel)

or, a test for each clause:

    @pytest.mark.parametrize("name, check", zoo.testing.checks(MyModel))
    def test_contract(name, check):
        check()
"""

from zoo.testing.contract import CLAUSES, check_model, checks
from zoo.testing.power import log_likelihood_error, moved_uphill
from zoo.testing.specimen import Specimen

__all__ = [
    "CLAUSES",
    "Specimen",
    "check_model",
    "checks",
    "log_likelihood_error",
    "moved_uphill",
]
