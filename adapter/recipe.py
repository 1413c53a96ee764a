"""The paper's settings as files, and the commands that carry them out."""

import subprocess
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
from adapter.model import Method
from adapter.runs import read_config, unfinished
from adapter.settings import configs, read_by
from corpus.causes import first_cause
from corpus.errors import BadInput, RunFailed
from extract.beside import command
from extract.store import FeatureCache

FOLDER = Path(__file__).parent / "recipes"
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


def carry_out(recipe: Recipe, out: Path) -> None:
    """Run a recipe's alt-adapter commands, or those that are left to do in a folder.

    Raises:
        BadInput: a feature cache does not exist, or a run there is another recipe's.
        RunFailed: a command ended with an error, which it has told itself.
    """
    for cache in recipe.caches:
        if not Path(cache.cache).is_file():
            mend = "make it with the alt-extract command that alt-adapter recipe shows"
            raise BadInput(cache.cache, "no such feature cache", mend)
    for step in list(adapter_commands(recipe, out, go_on=True)):
        line, variables = command("adapter.cli", *step)
        with subprocess.Popen(line, env=variables) as child:
            try:
                code = child.wait()
            except BaseException:  # it is to end as it does by itself, and not to be killed
                child.terminate()
                child.wait()
                raise
        if code:
            raise RunFailed(f"alt-adapter {step[0]}", f"ended with {code}", "see above")


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
    if (there.model, there.train, there.contents) != wanted:
        cause = "is finished, with other settings or features than the recipe's"
        raise BadInput(run, cause, "use another --out")
    return True


def label_list(name: str) -> Path:
    """Return a list of labels that comes with ALT, or else the file of that name."""
    bundled = FOLDER / "lists" / name
    return bundled if bundled.is_file() else Path(name)
