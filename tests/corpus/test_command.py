import pickle

import pytest

from corpus import command
from corpus.errors import BadInput, RunFailed


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("a [b].csv", "is\nempty", "add a row"), 2),
        (RunFailed("feats.h5", "disk is full", "free some room and run again"), 1),
        (OSError(13, "Permission denied", "out.h5"), 1),
    ],
)
def test_an_error_ends_a_command_in_one_line_and_its_own_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = command.application("test")

    @app.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["alt-test"])
    with pytest.raises(SystemExit) as end:
        command.run(app)
    assert end.value.code == code
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "[b]" in err or code != 2


def test_errors_cross_process_borders() -> None:
    error = pickle.loads(pickle.dumps(RunFailed("a", "b", "c")))  # noqa: S301
    assert isinstance(error, RunFailed)
    assert str(error) == "a: b; c"
