import re
import shutil
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_python_of_the_readme_runs_as_it_stands_and_prints_nothing(
    videos: Path, tmp_path: Path
) -> None:
    (code,) = re.findall(r"```python\n(.+?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "videos").symlink_to(videos)
    shutil.copy(videos / "hugging" / "2.mp4", tmp_path / "new.mp4")
    script = tmp_path / "notebook.py"  # without a guard of its main, as a notebook is
    smaller = code.replace("ViT-B-16", "alt-mini").replace("TrainConfig()", "TrainConfig(epochs=1)")
    script.write_text(smaller)
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "runs" / "mine" / "adapter.safetensors").is_file()
