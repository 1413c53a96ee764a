"""`alt-corpus`: build a text corpus, look into it, search it, correct it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from corpus import reporting
from corpus.command import application, notes, out, print_json, run, warn
from corpus.words import counted, first_of

app = application(
    "From action names to a text corpus of visual entities: build it, look into it, search it."
)

_MODEL = "ViT-B-16"
Model = Annotated[
    str,
    typer.Option(envvar="ALT_MODEL", help="open_clip model, or alt-mini (bundled, offline)."),
]
Pretrained = Annotated[
    str | None,
    typer.Option(
        envvar="ALT_PRETRAINED",
        help="open_clip tag, path of a checkpoint, or none (random weights).",
    ),
]
Weights = Annotated[str | None, typer.Option(help="Weights of --model, as for `build`.")]
Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
CorpusFolder = Annotated[Path, typer.Option("--corpus", help="Folder of a built corpus.")]
Corrections = Annotated[
    Path | None,
    typer.Option(help="File of corrections, a line each: `label or *, unit, synset or drop`."),
]
Expand = Annotated[bool, typer.Option(help="Anything beyond what the label names.")]
Instruments = Annotated[bool, typer.Option(help="Tools and materials of the action.")]
Parts = Annotated[bool, typer.Option(help="Parts of the things named.")]
Scenes = Annotated[bool, typer.Option(help="Places where the action is found.")]
Roles = Annotated[bool, typer.Option(help="People who act.")]
Body = Annotated[bool, typer.Option(help="Parts of the body, for every label.")]
Siblings = Annotated[bool, typer.Option(help="Other kinds of the things named.")]
Cap = Annotated[
    int, typer.Option(min=1, help="Most entities of a label, not counting the person and the body.")
]


@app.command(
    epilog="Examples: alt-corpus build --labels k400 · "
    "alt-corpus build --labels ucf101,my-labels.txt --model alt-mini --out artifacts/corpus/mine"
)
def build(
    labels: Annotated[
        list[str],
        typer.Option(
            help="Label sets (k400, ucf101, …), files or folders; commas or repetition for several."
        ),
    ],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help=r"Folder to write \[artifacts/corpus/NAME].")
    ] = None,
    model: Model = _MODEL,
    pretrained: Pretrained = None,
    expand: Expand = True,
    instruments: Instruments = True,
    parts: Parts = True,
    scenes: Scenes = True,
    roles: Roles = True,
    body: Body = True,
    siblings: Siblings = False,
    cap: Cap = 24,
    template: Annotated[
        list[str] | None,
        typer.Option(
            help="Prompt with {unit}, {description}, {kind}; repeat it to average several."
        ),
    ] = None,
    overrides: Corrections = None,
    first_sense: Annotated[
        bool, typer.Option("--first-sense", help="Ablation: take each word's first sense.")
    ] = False,
    random_entities: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="SEED", help="Ablation: random nouns instead, as many of each kind."
        ),
    ] = None,
    force: Annotated[bool, typer.Option(help="Build even if nothing changed.")] = False,
    json: Json = False,
) -> None:
    """Build a corpus; what is already up to date is left alone."""
    from corpus import build as building
    from corpus import manifest as manifests
    from corpus import options
    from corpus.labels import load_labels
    from corpus.overrides import Overrides

    sets = load_labels(",".join(labels))
    given: dict[str, Any] = {
        "instruments": expand and instruments,
        "parts": expand and parts,
        "scenes": expand and scenes,
        "roles": expand and roles,
        "body": expand and body,
        "siblings": expand and siblings,
        "cap": cap,
        "first_sense": first_sense,
        "random_entities": random_entities,
    }
    if template:
        given["templates"] = tuple(template)
    settings = options.checked(given)
    corrections = Overrides.read(overrides) if overrides else None
    name = "-".join(
        [group.name for group in sets]
        + ([model] if model != _MODEL else [])
        + ([pretrained] if pretrained and pretrained != manifests.default_tag(model) else [])
        + options.changes(settings)
    )
    folder = out_folder or Path("artifacts/corpus") / name.replace("/", "-")
    identity = manifests.backbone_identity(model, pretrained)
    inputs = building.inputs_digest(sets, settings, corrections, identity)
    manifest = None if force else manifests.up_to_date(folder, inputs)
    if manifest is None:
        manifests.check_target(folder)
        gone = len(manifests.dropped(folder, sets))
        corpus = _build(sets, model, pretrained, corrections, given)
        corpus.manifest.inputs = inputs
        corpus.save(folder)
        manifest = corpus.manifest
        state = "built"
        if gone:
            are = "is" if gone == 1 else "are"
            lost = f"{counted(gone, 'label')} of the corpus it replaces {are} not in this one"
            warn(f"{folder}: {lost}")
    else:
        state = "up to date"
    # As they come from a file they are in the alphabet's order.
    first = {name: manifest.counts[name] for name in ("labels", "entities")}
    told = first | dict(sorted(manifest.counts.items()))
    if json:
        print_json({"corpus": str(folder), "id": manifest.id, "state": state, "counts": told})
        return
    counts = ", ".join(f"{name} {value}" for name, value in told.items())
    out.print(f"{folder}: {state}, id {manifest.id}")
    out.print(counts)
    if manifest.thin:
        notes.print(
            f"labels with fewer than 3 entities of their own: {len(manifest.thin)}; "
            "`alt-corpus stats` lists them",
        )


def _build(sets: Any, model: str, pretrained: str | None, corrections: Any, given: Any) -> Any:
    from corpus.backbone import load
    from corpus.index import Corpus
    from corpus.tally import stages

    with stages() as step:
        step("opening the backbone", 0, 1)
        backbone = load(model, pretrained)
        return Corpus.build(sets, backbone, overrides=corrections, step=step, **given)


@app.command(epilog="Example: alt-corpus show 'playing bass guitar' --json")
def show(
    label: Annotated[str, typer.Argument(help="A label, written in any style.")],
    labels: Annotated[
        str | None, typer.Option(help="The label set that the label is to be found in.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help=r"Backbone whose text space helps to choose senses \[none]."),
    ] = None,
    pretrained: Weights = None,
    overrides: Corrections = None,
    json: Json = False,
) -> None:
    """Show the entities of a label, and where each came from."""
    from corpus import expand
    from corpus.errors import BadInput
    from corpus.labels import check_label, load_labels
    from corpus.overrides import Overrides
    from corpus.siblings import Siblings

    if not label.strip():
        raise BadInput("label", "is empty", "name an action, such as 'playing piano'")
    siblings = None
    if labels is not None:
        sets = load_labels(labels)
        label = check_label(label, sets)
        siblings = Siblings(next(group.labels for group in sets if label in group.labels))
    corrections = Overrides.read(overrides) if overrides else None
    found = expand.entities(label, None, _text_term(model, pretrained), siblings)
    if corrections:
        found, _ = corrections.apply(label, found)
    if json:
        fields = ("unit", "kind", "synset", "description", "source", "score", "runner_up", "margin")
        print_json({"label": label, "entities": [{k: asdict(f)[k] for k in fields} for f in found]})
        return
    from rich.table import Table

    table = Table("unit", "kind", "sense", "score", "source", "description", title=None)
    for f in [f for f in found if not f.always]:
        table.add_row(f.unit, f.kind, f.synset or "-", f"{f.score:.2f}", f.source, f.description)
    out.print(table)
    out.print(f"and, as every action: {', '.join(f.unit for f in found if f.always)}")


def _text_term(model: str | None, pretrained: str | None) -> Any:
    from corpus.errors import BadInput

    if model is None:
        if pretrained is not None:
            raise BadInput("--pretrained", "is of no model", "give --model as well")
        return None
    from corpus.backbone import load
    from corpus.textspace import TextSpace

    term = TextSpace.of(load(model, pretrained))
    if term is None:
        notes.print(f"{model} cannot tell senses apart; it has no say")
    return term


@app.command(epilog="Example: alt-corpus search 'a man on a horse' --corpus artifacts/corpus/k400")
def search(
    text: Annotated[str, typer.Argument(help="Any text.")],
    corpus: CorpusFolder,
    top: Annotated[int, typer.Option(min=1, help="How many entities.")] = 10,
    json: Json = False,
) -> None:
    """Find the entities nearest to a text in the backbone's space."""
    from corpus.errors import BadInput
    from corpus.index import Corpus

    if not text.strip():
        raise BadInput("TEXT", "is empty", "write what to search for")
    found = Corpus.load(corpus).search(text, top)
    if json:
        print_json(
            [
                {"unit": e.unit, "kind": e.kind, "synset": e.synset, "description": e.description,
                 "score": round(score, 4)}
                for e, score in found
            ]
        )  # fmt: skip
        return
    for entity, score in found:
        line = f"{score:.3f}  {entity.unit} ({entity.kind}): {entity.description}"
        out.print(line)


@app.command(epilog="Example: alt-corpus measure gold.jsonl --json")
def measure(
    gold: Annotated[
        Path,
        typer.Argument(
            help="JSON lines with label, set (a bundled one), must, must_any, must_not, sense."
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="Backbone whose text space helps to choose senses.")
    ] = None,
    pretrained: Weights = None,
    json: Json = False,
) -> None:
    """Measure entities against what a person expects."""
    from corpus import expand
    from corpus import gold as golden
    from corpus.labels import load_labels
    from corpus.siblings import Siblings

    term = _text_term(model, pretrained)
    expected = golden.read(gold)
    names = sorted({item.set for item in expected if item.set})
    siblings = {name: Siblings(load_labels(name)[0].labels) for name in names}
    result = golden.measure(
        expected,
        lambda one: expand.entities(one.label, None, term, siblings.get(one.set or "")),
    )
    facts = asdict(result) | {"recall": result.recall, "sense_accuracy": result.sense_accuracy}
    if json:
        print_json(facts)
        return
    out.print(
        f"recall {result.recall:.3f} ({result.present}/{result.wanted}), forbidden "
        f"{len(result.forbidden)}, senses {result.sense_accuracy:.3f} "
        f"({result.right}/{result.senses})"
    )
    for name in ("missing", "forbidden", "wrong"):
        for line in first_of([" · ".join(row) for row in facts[name]]):
            out.print(f"{name}: {line}")


app.command(epilog="Example: alt-corpus stats artifacts/corpus/k400 --plot k400.png")(
    reporting.stats
)
app.command(epilog="Example: alt-corpus review artifacts/corpus/k400 --top 30 > overrides.txt")(
    reporting.review
)
app.command(epilog="Example: alt-corpus diff artifacts/corpus/old artifacts/corpus/new")(
    reporting.diff
)
app.command(epilog="Example: alt-corpus export artifacts/corpus/k400 k400.csv")(reporting.export)


def main() -> None:
    """Run `alt-corpus`."""
    run(app)


if __name__ == "__main__":
    main()
