"""Drawings of what is no image: ink of pen strokes, and waves, bright on black."""

import numpy as np
from PIL import Image, ImageDraw

SIDE = 64  # pixels: the height of all drawings
_WAVE_WIDTH = 3 * SIDE
_FINE = 4  # drawings of ink are made so many times larger, and reduced
_MARGIN = 3  # pixels around the ink
_PEN = 1.5  # pixels: the width of a line


def ink(strokes: np.ndarray) -> np.ndarray:
    """Draws one sequence of pen strokes as large as a square allows.

    The pen comes from the air. Each offset moves it; where the step before had the pen up, the
    movement leaves no line, but the point at its end is on the paper.

    Args:
      strokes: [T, 3], offsets to the right and upwards, and pen up (from 0.5 on): the pen is lifted
        when the offset is made.

    Returns:
      [64, 64, 1], 1 where there is ink.
    """
    points = np.nan_to_num(strokes[:, :2].astype(np.float64)).cumsum(0)
    points[:, 1] *= -1  # rows of pictures are counted from the top
    low, high = points.min(0), points.max(0)
    room = SIDE - 2 * _MARGIN
    scale = room / max((high - low).max(), 1e-9)
    points = _FINE * (SIDE / 2 + scale * (points - (low + high) / 2))
    lines, in_air = [], True
    for point, pen_up in zip(map(tuple, points), strokes[:, 2] >= 0.5, strict=True):
        if in_air:
            lines.append([])
        lines[-1].append(point)
        in_air = pen_up
    paper = Image.new("L", (_FINE * SIDE, _FINE * SIDE))
    pen, radius = ImageDraw.Draw(paper), _FINE * _PEN / 2
    for line in lines:
        if len(line) > 1:
            pen.line(line, 255, round(2 * radius), joint="curve")
        for x, y in line[:: max(1, len(line) - 1)]:  # both ends are round, and a dot is seen
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    drawn = paper.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(drawn, np.float32)[..., None] / 255


def wave(samples: np.ndarray, peak: float) -> np.ndarray:
    """Draws one wave: a bar in each column, from the least to the largest of its samples.

    Args:
      samples: [N].
      peak: the number at the upper edge of the picture, and its negative at the lower one.

    Returns:
      [64, 192, 1], 1 where the wave is.
    """
    edges = np.linspace(0, len(samples), _WAVE_WIDTH + 1)
    first = np.minimum(np.floor(edges[:-1]).astype(int), len(samples) - 1)
    # Each bar begins where the one before it ended.
    parts = [samples[a : max(a, int(b)) + 1] for a, b in zip(first, edges[1:], strict=True)]
    heights = np.array([[part.max(), part.min()] for part in parts]) / max(peak, 1e-9)
    top, bottom = np.round((1 - np.clip(heights.T, -1, 1)) / 2 * (SIDE - 1))
    rows = np.arange(SIDE)[:, None]
    return ((rows >= top) & (rows <= bottom)).astype(np.float32)[..., None]
