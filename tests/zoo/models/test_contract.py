import contract
import pytest

import zoo


@pytest.mark.parametrize("name", zoo.method_names())
@pytest.mark.parametrize("clause", contract.CLAUSES, ids=lambda clause: clause.__name__)
def test_contract(name, clause, digits, images, tmp_path):
    clause(zoo.get_method(name), digits, images, tmp_path)
