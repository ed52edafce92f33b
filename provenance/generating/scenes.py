"""The kinds of picture that the embedded generator paints, and the words of a prompt that call for each."""

import random
from collections.abc import Callable

from assay.provenance.generating.canvas import Painting, Size
from assay.provenance.generating.patterns import geometric, julia, plasma, poster, voronoi
from assay.provenance.generating.scenery import landscape, tree


def fractal(size: Size, palette: str, text: str, random_: random.Random) -> Painting:
    """Something that repeats itself ever smaller: a tree where the text asks for one, else a Julia set."""
    wanted = any(word in text for word in ("tree", "branch", "blossom", "garden"))
    return (tree if wanted else julia)(size, palette, text, random_)


PAINTERS: dict[str, Callable[[Size, str, str, random.Random], Painting]] = {
    "landscape": landscape,
    "fractal": fractal,
    "voronoi": voronoi,
    "plasma": plasma,
    "geometric": geometric,
    "poster": poster,
}
