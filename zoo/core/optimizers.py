"""One optimizer for each parameter group, as one optimizer of Keras."""

import keras


class GroupOptimizer(keras.optimizers.Optimizer):
    """An optimizer that lets each parameter group descend by its own.

    A model's file holds the optimizers alone, from which the model makes this one anew.

    Args:
      optimizers: a Keras optimizer for each parameter group, by the group's name.
      groups: the paths of each group's variables, by the group's name; the model says them.
    """

    def __init__(self, optimizers: dict, groups: dict[str, list[str]], name="group_optimizer"):
        super().__init__(learning_rate=0.0, name=name)
        self.optimizers = {k: keras.optimizers.get(v) for k, v in optimizers.items()}
        self.groups = groups

    def build(self, variables):
        """Builds each group's optimizer on its variables."""
        for name, owned in self._by_group(variables).items():
            self.optimizers[name].build(owned)
        self.built = True

    def apply(self, grads, trainable_variables=None):
        """Lets each group's optimizer apply the gradients of its variables."""
        gradients = {v.path: g for v, g in zip(trainable_variables, grads, strict=True)}
        for name, owned in self._by_group(trainable_variables).items():
            self.optimizers[name].apply([gradients[v.path] for v in owned], owned)
        self.iterations.assign_add(1)

    @property
    def variables(self):
        """Those of all groups' optimizers, and the number of updates."""
        return [*super().variables, *(v for o in self.optimizers.values() for v in o.variables)]

    def save_own_variables(self, store):
        """Writes all variables, numbered."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        """Reads all variables, numbered."""
        for i, variable in enumerate(self.variables):
            variable.assign(store[str(i)])

    def _by_group(self, variables):
        found = {v.path: v for v in variables}
        return {name: [found[path] for path in paths] for name, paths in self.groups.items()}
