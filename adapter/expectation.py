"""What a setting of the paper would cost, computed before anything is run.

Time is multiply-adds over what an H100 does at an assumed share of its peak, for training also what
launching a step takes, and beside it the bytes of the cache over what a disk is assumed to read.
Decoding video, which may well take longer than the encoder, is not in it.
"""

from pydantic import BaseModel

from adapter.flops import PAPER_GMACS, Cost, cost
from adapter.protocols_trained import SHOTS
from adapter.recipe import Cache, Recipe
from adapter.settings import STUDY, configs
from corpus.errors import BadInput
from extract.manifest import patch_dtype

PEAK = 989e12  # FLOP/s of an H100 SXM in dense bfloat16, from its data sheet
UTILISATION = 0.3  # assumed, of encoder and adapter alike
READ = 3e9  # bytes/s, assumed of a local NVMe disk
STEP = 0.01  # s that a training step takes however small; 7 and 13 ms of an H200 (bench_results)
_BACKWARD = 3  # a training step costs about three forward passes


class Expected(BaseModel):
    """What a cache costs to make on one H100.

    Attributes:
        cache: its path.
        gigabytes: of its arrays, not compressed.
        hours: of the encoder.
    """

    cache: str
    gigabytes: float
    hours: float


class Expectation(BaseModel):
    """What a recipe costs on one H100.

    Attributes:
        gmacs: billions of multiply-adds to recognise one video of the first test, adapter included.
        paper: the paper's figure, where it has one for this setting.
        caches: each of them.
        training_hours: of ALT's own runs, all seeds and shots, and of looking up the entities that
            regions are nearest to.
        reading_hours: of the cache for them, where it is streamed; at the same time as training.
        assumed: how hours were computed.
    """

    gmacs: float
    paper: float | None
    caches: list[Expected]
    training_hours: float
    reading_hours: float
    assumed: str


def expect(recipe: Recipe, entities: int = 5000) -> Expectation:
    """Compute what a recipe costs.

    Args:
        recipe: the recipe.
        entities: of the text corpus.

    Raises:
        BadInput: no such model or setting, or not said of how many classes shots are drawn.
    """
    closed = {"method": "name it among methods", "seed": "say how many seeds there are"}
    if recipe.protocol != "zero-shot":
        closed["patience"] = STUDY["patience"]
    model, train = configs(recipe.settings, closed)

    def counted(cache: Cache) -> Cost:
        return cost(recipe.model, recipe.merge, cache.frames, cache.view_count, entities, model)

    caches = []
    for cache in recipe.caches:
        encoder = counted(cache).encoder
        size = clip_bytes(recipe, cache, counted(cache).regions) * cache.clips
        caches.append(
            Expected(cache=cache.cache, gigabytes=size / 1e9, hours=hours(encoder * cache.clips))
        )
    shots = () if recipe.protocol == "zero-shot" else SHOTS[recipe.protocol]
    classes = recipe.train.classes
    if recipe.protocol == "base-to-novel":
        classes = -(-classes // 2)
    if any(shots) and not classes:
        cause = "does not say how many classes there are to draw clips of"
        raise BadInput(recipe.title, cause, "add classes to its [train]")
    # A step reads one view of each clip, and all views' entities are looked up once.
    whole = counted(recipe.train)
    view = whole.adapter_looked_up / recipe.train.view_count
    searched = (whole.adapter - whole.adapter_looked_up) * recipe.train.clips
    draws = [k * classes for k in shots if k] or [recipe.train.clips]
    clips = sum(count * train.passes(count) for count in draws) * recipe.seeds
    steps = sum(-(-count // train.batch_size) * train.passes(count) for count in draws)
    size = clip_bytes(recipe, recipe.train, whole.regions)
    first = recipe.test[0]
    like_paper = recipe.model == "ViT-L-14" and first.frames * first.view_count == 96
    return Expectation(
        gmacs=counted(first).total,
        paper=PAPER_GMACS if like_paper else None,
        caches=caches,
        training_hours=hours(_BACKWARD * view * clips + searched)
        + steps * recipe.seeds * STEP / 3600,
        reading_hours=clips * size / recipe.train.view_count / READ / 3600,
        assumed=f"{UTILISATION:.0%} of {PEAK / 1e12:.0f} TFLOP/s, {READ / 1e9:.0f} GB/s from disk; "
        f"{1000 * STEP:.0f} ms to launch a step; decoding not counted; {entities} entities",
    )


def clip_bytes(recipe: Recipe, cache: Cache, regions: int) -> int:
    """Bytes of one clip in a cache (schema v1), before any compression."""
    from open_clip import get_model_config

    facts = get_model_config(recipe.model)
    side = facts["vision_cfg"]["image_size"] // facts["vision_cfg"]["patch_size"]
    # embedding, with a scale where it is of bytes, and size
    region = 2 * facts["embed_dim"] + 2 if cache.dtype == "float16" else facts["embed_dim"] + 4
    patch = patch_dtype(regions).itemsize
    return cache.view_count * cache.frames * (regions * region + side**2 * patch + 4)


def hours(gmacs: float) -> float:
    """Hours of one H100 for so many billions of multiply-adds."""
    return 2e9 * gmacs / (PEAK * UTILISATION) / 3600
