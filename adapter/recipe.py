"""The paper's settings as files, and what each would cost, computed before anything is run.

Time is multiply-adds over what an H100 does at an assumed share of its peak, for training also what
launching a step takes, and beside it the bytes of the cache over what a disk is assumed to read.
Decoding video, which may well take longer than the encoder, is not in it.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    model_validator,
)

from adapter.baselines import TITLES, settled
from adapter.flops import Cost, cost
from adapter.model import Method
from adapter.protocols_trained import SHOTS
from adapter.runs import read_config, unfinished
from adapter.settings import STUDY, configs, read_by
from corpus.causes import first_cause
from corpus.errors import BadInput
from extract.manifest import patch_dtype
from extract.store import FeatureCache

FOLDER = Path(__file__).parent / "recipes"
PEAK = 989e12  # FLOP/s of an H100 SXM in dense bfloat16, from its data sheet
UTILISATION = 0.3  # assumed, of encoder and adapter alike
READ = 3e9  # bytes/s, assumed of a local NVMe disk
STEP = 0.01  # s that a training step takes however small; 7 and 13 ms of an H200 (bench_results)
_BACKWARD = 3  # a training step costs about three forward passes
_MOST_CLIPS = 10**9


class Cache(BaseModel):
    """A cache that a recipe needs.

    Attributes:
        cache: its path; dataset, split, frames, views: what alt-extract is to be told.
        clips: how many are expected.
        dtype: what regions are stored as.
        classes: of training clips, where shots are drawn from each.
        name: what its column, or its data set, is called.
        protocol, lists: for zero-shot tests; lists are files, or of those that come with ALT.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    cache: str
    dataset: str
    split: str
    clips: int = Field(gt=0, le=_MOST_CLIPS)
    frames: PositiveInt
    views: str = Field(pattern="^[1-9][0-9]*x[13]$")
    dtype: Literal["float16", "int8"] = "float16"
    classes: int = Field(default=0, ge=0, le=_MOST_CLIPS)
    name: str = ""
    protocol: Literal["ep1", "ep2", "ep3", "lists"] = "ep2"
    lists: tuple[str, ...] = ()

    @property
    def view_count(self) -> int:
        """V."""
        temporal, spatial = self.views.split("x")
        return int(temporal) * int(spatial)


class Recipe(BaseModel):
    """A setting of the paper.

    Attributes:
        title: what it reproduces.
        protocol: of adapter.protocols_trained; "zero-shot" trains a run and scores it elsewhere.
        model, pretrained, merge: the encoder.
        settings: NAME=VALUE, of the adapter and of what it is compared with. Without a learning
            rate each method has its own (`Recogniser.lr`): at one for all, baselines look worse.
        seeds: runs of each method.
        methods: ALT, last, and what it is compared with.
        train, test: caches. Zero-shot tests that follow one another with the same name, protocol
            and lists are of one data set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    protocol: Literal["supervised", "few-shot", "base-to-novel", "zero-shot"]
    model: Annotated[str, AfterValidator(lambda name: name.replace("/", "-"))]
    pretrained: str
    merge: int
    settings: tuple[str, ...]
    seeds: int = Field(gt=0, le=10_000)
    methods: tuple[Method, ...] = Field(tuple(TITLES), min_length=1)
    train: Cache
    test: tuple[Cache, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_carried_out(self) -> Self:
        # Each is a column of a table, or has a folder for its results.
        for name, count in Counter(tests[0].name for tests in self.scored).items():
            if not name:
                raise ValueError("test: one has no name")
            if {"/", "=", "\0"} & set(name) or name in (".", ".."):
                raise ValueError(f"test: {name!r} is no name for a column and a folder")
            if count > 1:
                mend = "give each a name of its own, and keep the tests of one together"
                raise ValueError(f"test: {count} data sets are called {name!r}: {mend}")
        if self.protocol == "zero-shot" and set(self.methods) == {"clip"}:
            raise ValueError("methods: clip alone has nothing to train")
        return self

    @property
    def caches(self) -> list[Cache]:
        """What is to be extracted, each file once, though several tests may read it."""
        return list({cache.cache: cache for cache in (self.train, *self.test)}.values())

    @property
    def scored(self) -> list[tuple[Cache, ...]]:
        """The tests, in each part those that are scored together."""
        if self.protocol != "zero-shot":
            return [(test,) for test in self.test]
        groups = groupby(self.test, lambda test: (test.name, test.protocol, test.lists))
        return [tuple(tests) for _, tests in groups]


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


def names() -> list[str]:
    """List the recipes that come with ALT."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Recipe:
    """Read a recipe by its name, or from a TOML file.

    Raises:
        BadInput: no such recipe, or not one.
    """
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadInput(name, "no such recipe", f"use {', '.join(names())}, or a file") from error
    except (ValueError, RecursionError) as error:
        cause = f"is no recipe ({first_cause(error)})"
        raise BadInput(path, cause, "see adapter/recipes") from error


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
        paper=4947.0 if like_paper else None,
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


def extract_commands(recipe: Recipe) -> Iterator[list[str]]:
    """Yield the alt-extract arguments for each cache."""
    for cache in recipe.caches:
        yield [
            *("--dataset", cache.dataset, "--split", cache.split, "--out", cache.cache),
            *("--model", recipe.model, "--pretrained", recipe.pretrained),
            *("--frames", str(cache.frames), "--views", cache.views),
            *("--merge", str(recipe.merge), "--dtype", cache.dtype),
        ]


def adapter_commands(recipe: Recipe, out: Path, go_on: bool = False) -> Iterator[list[str]]:
    """Yield the alt-adapter arguments that carry a recipe out, into a folder.

    Args:
        recipe: the recipe.
        out: the folder.
        go_on: leave out runs that are finished there, and resume those that were begun.

    Raises:
        BadInput: a run was finished there by another recipe, or on other features.
    """
    if recipe.protocol != "zero-shot":
        settings = [part for setting in recipe.settings for part in ("--set", setting)]
        scored = [part for test in recipe.test for part in ("--test", f"{test.name}={test.cache}")]
        yield [
            *("protocol", recipe.protocol, "--features", recipe.train.cache, *scored, *settings),
            *("--methods", ",".join(recipe.methods)),
            *("--seeds", str(recipe.seeds), "--out", str(out)),
        ]
        return
    runs = {
        str(out / f"{method}-{seed}"): (method, seed)
        for method in recipe.methods
        if method != "clip"  # which has nothing to train, and is always scored
        for seed in range(recipe.seeds)
    }
    for run, (method, seed) in runs.items():
        begun = go_on and Path(run, "config.json").exists()
        if begun and finished(recipe, Path(run), method, seed):
            continue
        own = read_by(method, recipe.settings)
        settings = [part for setting in own for part in ("--set", setting)]
        yield [
            *("train", "--features", recipe.train.cache, "--method", method, "--seed", str(seed)),
            *(*settings, "--out", run, *(["--resume"] if begun else [])),
        ]
    scored = [part for run in runs for part in ("--run", run)]
    for tests in recipe.scored:
        first, features = tests[0], [part for test in tests for part in ("--features", test.cache)]
        lists = [part for path in first.lists for part in ("--list", str(label_list(path)))]
        to = str(out / first.name)
        yield ["protocol", first.protocol, *scored, *features, *lists, "--out", to]


def finished(recipe: Recipe, run: Path, method: Method, seed: int) -> bool:
    """Tell whether a run that was begun needs no more training.

    Raises:
        BadInput: it is finished, and not what the recipe would train.
    """
    if unfinished(run):
        return False
    there = read_config(run)
    features = FeatureCache(Path(recipe.train.cache)).manifest.content_hash
    model, train = configs(read_by(method, recipe.settings), method=method, seed=seed)
    wanted = (model, settled(train, method, there.clips), (features,))
    contents = there.contents or (there.features.content_hash,)  # an old run noted the first alone
    if (there.model, there.train, contents) != wanted:
        cause = "is finished, with other settings or features than the recipe's"
        raise BadInput(run, cause, "use another --out")
    return True


def label_list(name: str) -> Path:
    """Return a list of labels that comes with ALT, or else the file of that name."""
    bundled = FOLDER / "lists" / name
    return bundled if bundled.is_file() else Path(name)
