"""What is to be made of a dataset, and how much of it is there already."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count, repeat
from pathlib import Path

from corpus.backbone import Backbone
from corpus.errors import BadInput
from extract.clip import Plan
from extract.cores import cores
from extract.datasets import Clip, Dataset
from extract.encode import Encoder, lanes
from extract.manifest import OF_PART, CacheManifest, check_rows, list_hash
from extract.options import Options, plan_of
from extract.pieces import Piece, Work
from extract.shards import Shards, check_target, differs
from extract.store import FeatureCache


class Task:
    """A cache that is to be; nothing is written before its `shards` are entered.

    Args:
        dataset: what to encode.
        backbone: with which, on the device to use.
        out: the cache file.
        options: how.
        overwrite: replace a cache, and drop unfinished work; see `extract`.

    Attributes:
        dataset, options, out: as given.
        encoder, plan, manifest: what they come to; the manifest lacks what only the rows can say.
        shards: the unfinished work beside the target.

    Raises:
        BadInput: no file of the dataset is there (those of a part may all be missing), the options
            do not fit, or the target is something else than a feature cache.
        RunFailed: the target's folder cannot be looked into.
    """

    def __init__(
        self, dataset: Dataset, backbone: Backbone, out: Path, options: Options, overwrite: bool
    ) -> None:
        check_target(out)
        if not dataset.part:  # whose files may all be missing: `shard` looked at the whole list
            dataset.check_there()
        self.dataset, self.options, self.out = dataset, options, out
        self.encoder = options.encoder(backbone, lanes(backbone.device))
        self.plan = plan_of(backbone, options, dataset.split)
        self.manifest = _manifest(dataset, self.encoder, options, self.plan)
        check_rows(self.manifest)
        late = {"compression", "failed", "content_hash", *OF_PART}
        job = self.manifest.model_dump(mode="json", exclude=late)
        for name in ("batch", "decoder", "checkpoint", "compile"):
            job[name] = getattr(options, name)
        self.shards, self._overwrite = Shards(out, job, fresh=overwrite), overwrite

    def finished(self) -> FeatureCache | None:
        """The target, where it is there as asked for and not to be made anew.

        Raises:
            BadInput: a cache made with other options is there, or a damaged one.
        """
        if self.shards.replacing() or self._overwrite or not self.out.exists():
            return None
        mend = "choose another --out, or --overwrite it"
        try:
            cache = FeatureCache(self.out)
        except BadInput as error:
            raise BadInput(self.out, error.cause, mend) from error
        late = {"failed", "content_hash"}
        theirs, ours = (
            m.model_dump(mode="json", exclude=late) for m in (cache.manifest, self.manifest)
        )
        if theirs != ours:
            cause = f"exists and was made with other options ({differs(theirs, ours)})"
            raise BadInput(self.out, cause, mend)
        return cache

    def pieces(self) -> list[Piece]:
        """The work, cut into shards."""
        clips, size = self.dataset.clips, self.options.checkpoint
        cuts = (clips[at : at + size] for at in range(0, len(clips), size))
        with ThreadPoolExecutor(cores()) as crew:  # a far disk lets each look at a file wait
            return list(crew.map(Piece, count(), repeat(self.dataset), cuts))

    def work(self) -> Work:
        """What those who make the pieces need to know; the clips are in the pieces."""
        dataset = replace(self.dataset, clips=())
        return Work(dataset, self.options, self.plan, self.manifest, self.shards)

    def left(self) -> tuple[Clip, ...]:
        """The videos that are yet to be encoded, as it seems; nothing is written or locked.

        Raises:
            BadInput: what is there is of another task.
        """
        if self.finished() is not None:
            return ()
        if not self.shards.goes_on():
            return self.dataset.clips
        work, pieces = self.work(), self.pieces()
        todo = (piece for piece in pieces if not work.path(piece).exists())
        return tuple(clip for piece in todo for clip in piece.clips)


def _manifest(dataset: Dataset, encoder: Encoder, options: Options, plan: Plan) -> CacheManifest:
    backbone = encoder.backbone
    model, _, pretrained = backbone.name.partition("/")
    return CacheManifest(
        dataset=dataset.name,
        split=dataset.split,
        classes=dataset.classes,
        clips=len(dataset.clips),
        list_hash=list_hash((c.video, c.label, c.split) for c in dataset.clips),
        backbone=backbone.name,
        model=model,
        pretrained=pretrained,
        fingerprint=backbone.fingerprint,
        random_weights=backbone.random,
        merge=options.merge,
        keep_regions=options.keep_regions,
        frames=options.frames,
        views=options.views,
        sampling=plan.sampling,
        seed=options.seed,
        augment=options.augment,
        part=dataset.part,
        start=dataset.start,
        whole_clips=dataset.whole_clips,
        whole_hash=dataset.whole_hash,
        preprocess=backbone.preprocess,
        precision=options.precision,
        dtype=options.dtype,
        compression=options.compression,
        dim=encoder.tower.dim,
        regions=encoder.regions,
        patches=encoder.tower.patches,
        grid=encoder.tower.grid,
    )
