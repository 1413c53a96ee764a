"""Small datasets with lists and folders as their makers give them out."""

import json
from pathlib import Path

from corpus.labels import load_labels
from tests.extract.conftest import fill

HEAD = "label,youtube_id,time_start,time_end,split\n"


def names_of(name: str) -> tuple[str, ...]:
    return load_labels(name)[0].labels


def ucf(root: Path) -> Path:
    lists = root / "ucfTrainTestlist"
    fill(root, "UCF-101/Archery/v_1.avi | UCF-101/Biking/v_2.avi")
    lists.mkdir()
    classes = enumerate(names_of("ucf101"), 1)
    (lists / "classInd.txt").write_text("".join(f"{n} {name}\r\n" for n, name in classes))
    (lists / "trainlist01.txt").write_text("Archery/v_1.avi 3\nBiking/v_2.avi 11\n")
    (lists / "testlist01.txt").write_text("Archery/v_3.avi\n\n")
    (lists / "testlist02.txt").write_text("Biking/v_4.avi\n")
    return root


def hmdb(root: Path) -> Path:
    lists = root / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    for name in names_of("hmdb51"):
        stem = name.replace(" ", "_")
        (lists / f"{stem}_test_split1.txt").write_text(
            f"{stem}_a.avi 1 \n{stem}_b.avi 2 \n{stem}_c.avi 0 \n"
        )
    return root


def kinetics(root: Path, split: str, *ids: str) -> None:
    rows_of = "".join(f"yoga,{one},0,10,{split}\n" for one in ids)
    (root / f"{split}.csv").write_text(HEAD + rows_of)


def ssv2(root: Path) -> Path:
    labels = {name: str(number) for number, name in enumerate(names_of("ssv2"))}
    fill(root, "20bn-something-something-v2/7.webm")
    (root / "labels.json").write_text(json.dumps(labels))
    row = {"id": "7", "label": "…", "template": "Holding [something] next to [something]"}
    (root / "train.json").write_text(json.dumps([row]))
    (root / "something-something-v2-validation.json").write_text(json.dumps([row | {"id": 8}]))
    (root / "test.json").write_text('[{"id": "9"}]')
    return root
