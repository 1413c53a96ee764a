"""Another try at the videos of a finished cache that failed, with the other rows as they are."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from corpus.backbone import Backbone
from corpus.errors import BadInput
from corpus.tally import Tally, tallied
from extract.datasets import Dataset
from extract.drafts import Row
from extract.merge import write
from extract.options import Options
from extract.pieces import Engine, Watch
from extract.run import Report, extract, report_of
from extract.store import FeatureCache


def retry(
    dataset: Dataset,
    backbone: Backbone,
    out: Path | str,
    options: Options | None = None,
    *,
    watch: Watch | None = None,
    joined: Tally | None = None,
    engine: Engine | None = None,
) -> Report:
    """Encode again what failed for a while: files that were missing, a disk that did not answer.

    Where there is no finished cache yet, it is made, as by `extract`. An interrupted retry goes on
    as an extraction does; the cache stays as it is until all has been tried.

    Args:
        dataset, backbone, out, options: as for `extract`, and as they were.
        watch: called for each video, those that are kept included; not at all where there is
            nothing to try again.
        joined, engine: as for `extract`.

    Returns:
        The report of the whole cache; `resumed` counts the rows that were kept.

    Raises:
        BadInput, RunFailed: as `extract`; and BadInput where another process makes the cache anew
            meanwhile, a row of it is not what was written, or `out`.again, which is made for the
            while, is another file.
    """
    began, out = time.monotonic(), Path(out)
    make = partial(extract, watch=watch, joined=joined, engine=engine)
    before = make(dataset, backbone, out, options)
    cache = FeatureCache(out)
    was = cache.manifest.content_hash
    beside = out.with_name(f"{out.name}.again")
    again = to_try(dataset, cache)
    if before.resumed < len(cache) or not again:
        if _ours(beside, cache):
            beside.unlink()
        return before
    if beside.exists() and not _ours(beside, cache):
        raise BadInput(beside, "is in the way of what is tried again", "move it elsewhere")
    if watch:
        for index in sorted(set(range(len(cache))) - set(again)):
            watch(cache.entry(index), 0)
    some = replace(dataset, clips=tuple(dataset.clips[index] for index in again))
    tried = make(some, backbone, beside, options, overwrite=True)
    new = FeatureCache(beside)

    def check_same() -> None:
        if FeatureCache(out).manifest.content_hash != was:
            cause = "was made anew by another process while failed videos were tried again"
            raise BadInput(out, cause, "run the same command again")

    def rows() -> Iterator[Row]:
        old, tried_again, places = cache.rows(), new.rows(), set(again)
        try:
            for index, row in enumerate(old):
                yield next(tried_again) if index in places else row
        except BadInput:  # damaged, or another cache by now, which is the better reason
            check_same()
            raise
        check_same()

    write(out, cache.manifest, tallied(rows(), len(cache), joined))
    beside.unlink()
    return report_of(out, FeatureCache(out), len(cache) - len(again), began, tried.spent)


def _ours(beside: Path, cache: FeatureCache) -> bool:
    """Tell whether a file is what a kill left of trying a cache's videos again."""
    try:
        left = FeatureCache(beside)
    except BadInput:  # not there, none, or damaged: whose it is nobody knows
        return False
    alike = left.manifest.fingerprint == cache.manifest.fingerprint
    return alike and set(left.videos) <= set(cache.videos)


def to_try(dataset: Dataset, cache: FeatureCache) -> list[int]:
    """Rows that failed and may not fail again: a file that is missing would, in the same way."""
    failed = (index for index, status in enumerate(cache.status) if status == "failed")
    return [index for index in failed if dataset.has(dataset.clips[index])]
