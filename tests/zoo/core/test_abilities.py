"""A model has an ability exactly when its class defines the method, or what it follows from."""

import zoo
from zoo.core.abilities import ability, defines, follows_from


class Base:
    @ability
    def propose(self):
        raise NotImplementedError

    @property
    @ability
    def prior(self):
        raise NotImplementedError

    @follows_from("propose")
    def log_weights(self):
        return self.propose()


class Proposes(Base):
    def propose(self):
        return 1


class Weighs(Base):
    def log_weights(self):
        return 2


class HasPrior(Proposes):
    @property
    def prior(self):
        return 3


def test_abilities():
    names = ("propose", "prior", "log_weights", "unheard_of")
    for cls, expected in (
        (Base, (False, False, False, False)),
        (Proposes, (True, False, True, False)),
        (Weighs, (False, False, True, False)),
        (HasPrior, (True, True, True, False)),
    ):
        assert tuple(defines(cls, name) for name in names) == expected, cls
        assert tuple(defines(cls(), name) for name in names) == expected, cls


def test_an_expectation_follows_from_a_likelihood():
    """Sequences have none of z alone: their pixels are given step by step."""
    assert defines(zoo.VAE, "expected") and defines(zoo.GLO, "expected")
    assert not defines(zoo.VRNN, "expected")
