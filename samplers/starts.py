"""Where chains start: at a draw whose log density is finite, if a few draws have one."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from samplers.density import LogDensity, per_chain, with_shapes_of
from samplers.random import Seed, fold_in


class Start(NamedTuple):
    """Where chains start.

    Attributes:
      state: of every chain, in the structure of what was drawn.
      num_restarts: draws of every chain that were thrown away, int32, [chains].
      is_stuck: whether the log density is not finite all the same, bool, [chains].
    """

    state: tf.Tensor | list[tf.Tensor]
    num_restarts: tf.Tensor
    is_stuck: tf.Tensor


def finite_start(
    log_density: LogDensity,
    draw: Callable[[Seed], tf.Tensor],
    seed: Seed,
    *,
    max_restarts: int = 20,
) -> Start:
    """Draws where chains start, again for those at which the log density is NaN or infinite.

    From there no chain would ever move. For chains that only infer: the weights of annealed chains
    that were picked so would be of another density, and their estimate of p(x) too high.

    Args:
      log_density: maps a state to log densities in nats, [chains].
      draw: makes a state [chains, ...event], or a list of such parts, of a seed.
      seed: int or int32[2]; the first draw is `draw(seed)`.
      max_restarts: further draws, at most.

    Returns:
      The start, with the number of draws that were thrown away.
    """
    state = draw(seed)

    def is_finite(state):
        return tf.math.is_finite(log_density(state))

    def again(i, state, finite, num_restarts):
        num_restarts += tf.cast(~finite, tf.int32)
        other = draw(fold_in(seed, "restart", i))
        state = tf.nest.map_structure(
            lambda old, new: tf.where(per_chain(finite, old), old, new), state, other
        )
        return i + 1, *with_shapes_of((state, is_finite(state), num_restarts), start[1:])

    finite = is_finite(state)
    start = (0, state, finite, tf.zeros_like(finite, tf.int32))
    _, state, finite, num_restarts = tf.while_loop(
        lambda i, state, finite, _: (i < max_restarts) & ~tf.reduce_all(finite),
        again,
        start,
        parallel_iterations=1,
    )
    return Start(state, num_restarts, ~finite)
