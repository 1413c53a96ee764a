"""Clips to score that make a score say less, known by the names of their videos."""

import warnings
from collections.abc import Iterable

from adapter.data import ClipSet


def warn_of_trained(clips: ClipSet, videos: Iterable[str], source: object) -> None:
    """Warn of clips to score that may have been trained on.

    Args:
        clips: to score.
        videos: that were trained on.
        source: of the clips.
    """
    _warn(clips, videos, source, "trained on", "this is no test")


def warn_of_choice(clips: ClipSet, videos: Iterable[str], source: object) -> None:
    """Warn of clips to score that may be those a run's best epoch was chosen by.

    Args:
        clips: to score.
        videos: that the run was validated with.
        source: of the clips.
    """
    _warn(clips, videos, source, "that the epoch was chosen by", "their scores flatter the run")


def warn_of_repeats(clips: ClipSet) -> None:
    """Warn of clips to score that may be there twice, as where a video is in two caches.

    Args:
        clips: to score.
    """
    if again := len(clips) - len(set(clips.videos)):
        names = f"{again} of {len(clips)} rows of {', '.join(map(str, clips.sources))}"
        cause = "have the name of a video in another row: if it is the same, it counts again"
        warnings.warn(f"{names} {cause}", stacklevel=3)


def _warn(clips: ClipSet, videos: Iterable[str], source: object, known: str, so: str) -> None:
    if again := clips.named_as(videos):
        names = f"{again} of {len(clips)} videos of {source} have the names of videos {known}"
        warnings.warn(f"{names}: if they are the same, {so}", stacklevel=4)
