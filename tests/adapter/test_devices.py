import subprocess
import sys
from pathlib import Path

CHECKS = Path(__file__).with_name("one_device.py")


def test_training_steps_and_the_region_encoder_keep_to_one_device() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CHECKS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
