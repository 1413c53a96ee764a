import subprocess
import sys
from pathlib import Path

CHECKS = Path(__file__).with_name("forks_checked.py")


def checked(which: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", which]
    done = subprocess.run([*command, str(CHECKS)], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_trainings_in_forks_are_those_of_one_process() -> None:
    assert "6 passed" in checked("not cannot_train")


def test_where_forks_cannot_train_one_process_does() -> None:
    assert "1 passed" in checked("cannot_train")
