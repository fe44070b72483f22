"""What a model estimates before it is scored, such as the normalizer of its prior."""

from zoo.scores.registry import Scoring, register_score


@register_score(
    units={
        "log_normalizer": "nats, log Z of the prior, AIS",
        "log_normalizer_stddev": "nats, over chains",
    }
)
def prepared_scores(scoring: Scoring) -> dict:
    """What the model's `prepare_for_scores` returned; nothing of most models."""
    return scoring.prepared
