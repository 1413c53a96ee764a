"""Lines on the terminal that say how far an extraction is."""

from rich import progress

from corpus.command import notes
from extract.rows import Entry


class Progress:
    """Shows videos done, failures, frames per second and the time left; for `watch` and `joined`.

    Args:
        total: videos in all.
    """

    def __init__(self, total: int) -> None:
        self._bar = progress.Progress(
            progress.TextColumn("[bold]{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TextColumn("{task.fields[failed]}"),
            progress.TimeElapsedColumn(),
            progress.TextColumn("ETA"),
            progress.TimeRemainingColumn(),
            console=notes,
        )
        self._task = self._bar.add_task("extract", total=total, rate="", failed="")
        self._join = self._bar.add_task("join", start=False, visible=False, rate="", failed="")
        self._frames, self._failed = 0, 0

    def watch(self, entry: Entry, frames: int) -> None:
        """Count one more video."""
        self._frames += frames
        self._failed += entry.status == "failed"
        seconds = self._bar.tasks[0].elapsed or 0.0
        rate = f"{self._frames / seconds:.1f} frames/s" if self._frames and seconds else ""
        failed = f"[red]{self._failed} failed" if self._failed else ""
        self._bar.update(self._task, advance=1, rate=rate, failed=failed)

    def joined(self, done: int, total: int) -> None:
        """Show how much of the file is written, while some is left."""
        self._bar.start_task(self._join)
        self._bar.update(self._join, completed=done, total=total, visible=done < total)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar.tasks[0].completed:
            self._bar.stop()
        else:  # all was there, or nothing could be done: no trace of a bar
            self._bar.live.transient = True
            self._bar.live.stop()
