import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")

# A Python that makes environments whose own Python can do everything, and writes down how.
MAKER = """#!/bin/sh
echo "$@" >> "{log}"
[ "$2" = venv ] || exit 0
for folder; do :; done
mkdir -p "$folder/bin"
echo '#!/bin/sh' > "$folder/bin/python"
chmod +x "$folder/bin/python"
"""


def make(*args: str) -> str:
    """Run make in the checkout and return what it prints."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["make", *args], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("there", ["nothing", "things of a user's", "an environment without pip"])
def test_setup_makes_an_environment_anew_where_pip_is_missing(tmp_path: Path, there: str) -> None:
    venv, python, log = tmp_path / "venv", tmp_path / "python3", tmp_path / "log"
    python.write_text(MAKER.format(log=log))
    python.chmod(0o755)
    if there != "nothing":
        (venv / "bin").mkdir(parents=True)
        (venv / "thesis.txt").write_text("years of work")
    if there == "an environment without pip":
        (venv / "pyvenv.cfg").write_text("")
        (venv / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
        (venv / "bin" / "python").chmod(0o755)
    make("setup", f"VENV={venv}", f"PYTHON={python}")
    assert (venv / ".ready").is_file()
    made = log.read_text().splitlines()[1:]
    clear = "--clear " if there == "an environment without pip" else ""
    assert made == [f"-m venv {clear}{venv}"]


def test_the_adapter_is_trained_with_the_corpus_that_was_named() -> None:
    assert '--corpus "/elsewhere"' in make("-n", "adapter", "CORPUS=/elsewhere")
    assert "--corpus" not in make("-n", "adapter")
