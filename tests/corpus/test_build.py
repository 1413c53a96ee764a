import ast
from pathlib import Path

import corpus
from corpus import build as building


def test_all_modules_that_a_build_imports_tell_whether_a_corpus_is_current() -> None:
    folder = Path(corpus.__file__).parent
    imported, queue = set(), ["index"]
    while queue:
        name = queue.pop()
        if name in imported or not (folder / f"{name}.py").is_file():
            continue
        imported.add(name)
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "corpus":
                queue += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                queue.append(node.module.removeprefix("corpus."))
    told = {path.stem for path in building.deciding()}
    assert told == imported - {"atomic", "errors", "manifest"}
