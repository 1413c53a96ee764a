"""Train the mini backbone, write its weights and card; or measure the bundled one."""

from pathlib import Path
from typing import Annotated

import typer

from corpus.command import application, notes, out, print_json, run

app = application("The mini backbone: train it on stills of the demo world, measure it.")

CHECKPOINT = Path("artifacts/mini/checkpoint.pt")


@app.command(epilog="Example: python -m pipelines.mini train")
def train(
    checkpoint: Annotated[
        Path, typer.Option(help="Checkpoint to continue from after an interruption.")
    ] = CHECKPOINT,
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw stills.")] = 2,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Seed of weights, stills' order and texts.")
    ] = 0,
) -> None:
    """Train, from the checkpoint if there is one; then measure, and write weights and card."""
    from rich import progress

    from pipelines.mini.card import bundle, figures, rounded
    from pipelines.mini.train import Progress, Recipe
    from pipelines.mini.train import train as fit

    recipe = Recipe(seed=seed)
    columns = (
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.description}"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=notes) as bar:
        shown = bar.add_task("", total=recipe.steps)

        def report(step: Progress) -> None:
            line = (
                f"captions {step.caption_loss:.2f}  about {step.about_loss:.2f}  "
                f"regions {step.region_loss:.2f}  keys {step.key_loss:.2f}  "
                f"words {step.word_loss:.2f}  {step.rate:.0f} stills/s"
            )
            bar.update(shown, completed=step.step, description=line)
            if not notes.is_terminal:
                notes.print(f"{step.step}/{recipe.steps}  {line}")

        backbone = rounded(fit(recipe, checkpoint, workers, report))
    notes.print("measuring")
    for path in bundle(backbone, recipe, figures(backbone)):
        out.print(path)


@app.command(epilog="Example: python -m pipelines.mini measure --json")
def measure(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Measure the bundled backbone on held-out stills and on clips of a fresh world."""
    from corpus.backbone import MINI, load
    from pipelines.mini.card import figures

    found = figures(load(MINI))
    if as_json:
        print_json(found.model_dump())
        return
    out.print(found.describe())


def main() -> None:
    """Run the console command."""
    run(app)


if __name__ == "__main__":
    main()
