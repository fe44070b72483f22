"""One optimizer for each parameter group, as one optimizer of Keras."""

import keras
import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.core.replicas import is_multi_worker


class GroupOptimizer(keras.optimizers.Optimizer):
    """An optimizer that lets each parameter group descend by its own.

    A model's file holds the optimizers alone, from which the model makes this one anew.

    Args:
      by_group: a Keras optimizer for each parameter group, by the group's name.
      groups: the paths of each group's variables, by the group's name; the model says them.
    """

    def __init__(self, by_group: dict, groups: dict[str, list[str]], name="group_optimizer"):
        super().__init__(learning_rate=0.0, name=name)
        self.by_group = {k: _get(f"optimizer of {k!r}", v) for k, v in by_group.items()}
        self.groups = groups

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """Those of all groups, whose learning rates callbacks of Keras look for here."""
        return list(self.by_group.values())

    @property
    def learning_rate(self):
        """That of each group's optimizer, by the group's name."""
        return {name: optimizer.learning_rate for name, optimizer in self.by_group.items()}

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        raise UsageError(
            "learning_rate must be set of a group's optimizer, as "
            f"`model.optimizer.by_group[{min(self.by_group)!r}].learning_rate`, or by a callback "
            f"for all; it was {learning_rate!r}."
        )

    def build(self, variables):
        """Builds each group's optimizer on its variables."""
        for name, owned in self._split(variables).items():
            self.by_group[name].build(owned)
        self.built = True

    def apply(self, grads, trainable_variables=None):
        """Lets each group's optimizer apply the gradients of its variables."""
        gradients = {v.path: g for v, g in zip(trainable_variables, grads, strict=True)}
        for name, owned in self._split(trainable_variables).items():
            self.by_group[name].apply([gradients[v.path] for v in owned], owned)
        self.iterations.assign_add(1)

    def finalize_variable_values(self, var_list):
        """Lets each group's optimizer end the training of its variables."""
        for name, owned in self._split(var_list).items():
            self.by_group[name].finalize_variable_values(owned)

    @property
    def variables(self):
        """Those of all groups' optimizers, and the number of updates."""
        return [*super().variables, *(v for o in self.optimizers for v in o.variables)]

    def save_own_variables(self, store):
        """Writes all variables, numbered."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        """Reads all variables, numbered."""
        for i, variable in enumerate(self.variables):
            variable.assign(store[str(i)])

    def _split(self, variables):
        found = {v.path: v for v in variables}  # without what was frozen since
        return {
            name: [found[path] for path in paths if path in found]
            for name, paths in self.groups.items()
        }


def group_optimizer(optimizer, groups: dict[str, list]):
    """Makes one optimizer of what a user gives to `compile`.

    Args:
      optimizer: an optimizer or its name, or a dictionary of one for each parameter group.
      groups: the variables of each parameter group, by name.

    Returns:
      What Keras takes.

    Raises:
      UsageError: for none, groups that are not those of the model, or one optimizer in two groups.
    """
    if not isinstance(optimizer, dict) or _is_config(optimizer):
        return _get("optimizer", optimizer)
    if set(optimizer) != set(groups):
        raise UsageError(
            f"optimizer must have one for each of the parameter groups {sorted(groups)}; "
            f"it had {sorted(optimizer)}."
        )
    objects = [id(o) for o in optimizer.values() if not isinstance(o, str)]
    if len(set(objects)) < len(objects):
        raise UsageError("optimizer must be another object for each group; two had the same.")
    paths = {name: [v.path for v in owned] for name, owned in groups.items()}
    return GroupOptimizer(optimizer, paths)


def with_scaled_loss(optimizer):
    """Makes optimizers scale what they lower, as Keras does for gradients in float16.

    Args:
      optimizer: as `group_optimizer` takes it.

    Returns:
      The same, each in a `LossScaleOptimizer`, unless it is one.
    """
    if isinstance(optimizer, dict) and not _is_config(optimizer):
        return {group: with_scaled_loss(one) for group, one in optimizer.items()}
    optimizer = _get("optimizer", optimizer)
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")


def check_replicas(optimizer: keras.optimizers.Optimizer, strategy: tf.distribute.Strategy) -> None:
    """Refuses optimizers of another strategy, and what Keras does in a branch, in which the
    replicas of a process cannot meet.

    Args:
      optimizer: that of a compiled model.
      strategy: that of the model.

    Raises:
      UsageError: naming the argument.
    """
    inner = [getattr(optimizer, "inner_optimizer", None), *getattr(optimizer, "optimizers", ())]
    for one in filter(None, inner):
        check_replicas(one, strategy)
    num_replicas = 1 if is_multi_worker(strategy) else strategy.num_replicas_in_sync
    for name in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
        if num_replicas > 1 and getattr(optimizer, name):
            raise UsageError(
                f"optimizer: {name} must be left out on the {num_replicas} replicas of a process; "
                f"it was {getattr(optimizer, name)}."
            )
    in_scope = strategy.extended.variable_created_in_scope
    if not all(in_scope(variable.value) for variable in optimizer.variables):
        raise UsageError(
            f"optimizer must be made in the scope of the model's strategy; {optimizer.name!r} was "
            "made in another."
        )


def plain_optimizers(optimizer: keras.optimizers.Optimizer):
    """Returns what `group_optimizer` makes a compiled model's optimizer of again."""
    # A loaded model's variables have paths of their own.
    return optimizer.by_group if isinstance(optimizer, GroupOptimizer) else optimizer


def scale_losses(
    optimizer: keras.optimizers.Optimizer, losses: dict[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """Scales objectives by what an optimizer divides their gradients by.

    Args:
      optimizer: that of a compiled model.
      losses: scalars, by parameter group.

    Returns:
      The scaled ones.
    """
    if isinstance(optimizer, GroupOptimizer):
        return {k: optimizer.by_group[k].scale_loss(loss) for k, loss in losses.items()}
    return {k: optimizer.scale_loss(loss) for k, loss in losses.items()}


def _get(name, given):
    """The Keras optimizer of what a user gives, which may be its name or its config."""
    try:
        optimizer = given if given is None else keras.optimizers.get(given)
    except (ValueError, TypeError):
        optimizer = None
    if optimizer is None:
        raise UsageError(f"{name} must be a Keras optimizer or its name; it was {given!r:.80}.")
    return optimizer


def _is_config(given):
    return "class_name" in given
