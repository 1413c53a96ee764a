from types import SimpleNamespace

import torch

from adapter.compare import Column, Variant
from adapter.labelling import Labelling
from adapter.model import ModelConfig
from adapter.task import Task
from adapter.train import TrainConfig
from pipelines.ablation import _whole


def test_ways_that_are_compared_with_whole_labels_see_no_predicate() -> None:
    labels, novel = torch.randn(3, 2, 5), torch.randn(4, 2, 5)  # whole, and what is done
    task = Task(SimpleNamespace(), None, "none", SimpleNamespace(), SimpleNamespace(), (), labels)
    test = Column("novel", SimpleNamespace(), Labelling(tuple("abcd"), novel, "features", 4))
    row = _whole(Variant("alt", ModelConfig(), TrainConfig(), task), [test])
    for made, given in ((row.task.labels, labels), (row.tests[0].labelling.text, novel)):
        torch.testing.assert_close(made, given[:, [0, 0]])
    assert (row.tests[0].name, row.tests[0].labelling.names) == ("novel", tuple("abcd"))
