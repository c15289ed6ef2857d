"""
What is shipped: the metadata, the files of the distributions, and the wheel in a clean environment.

The tests marked ``dist`` build and install; ``tox -e dist`` runs them.
"""

from __future__ import annotations

import configparser
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

import copra_tx

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src"
NOT_SOURCE = ("__pycache__", "*.egg-info", "*.pyc", "dropin.cache")

dist = pytest.mark.dist


def _sources() -> set[str]:
    """Return the files that must be in the wheel, relative to ``src``."""
    return {
        path.relative_to(SRC).as_posix()
        for path in SRC.rglob("*")
        if path.is_file() and not any(fnmatch(part, pattern) for part in path.parts for pattern in NOT_SOURCE)
    }


def test_metadata_names_the_version_and_the_licence() -> None:
    metadata = importlib.metadata.metadata("copra-tx")
    assert metadata["Version"] == copra_tx.__version__
    assert metadata["License-Expression"] == "MIT"
    assert not [one for one in metadata.get_all("Classifier", []) if one.startswith("License ::")]


def test_every_data_file_is_declared() -> None:
    """What is not Python stands in ``package_data``, else the wheel lacks it."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    declared = [
        f"{package.replace('.', '/')}/{pattern}"
        for package, patterns in config["options.package_data"].items()
        for pattern in patterns.split()
    ]
    data = {name for name in _sources() if not name.endswith(".py")}
    assert {name for name in data if not any(fnmatch(name, pattern) for pattern in declared)} == set()


def test_the_plugin_stands_beside_no_init() -> None:
    """An ``__init__.py`` in ``src/twisted`` would hide Twisted itself."""
    assert {name for name in _sources() if name.startswith("twisted/")} <= {"twisted/plugins/copra_tx_plugin.py"}


def test_every_entry_point_can_be_loaded() -> None:
    for entry_point in importlib.metadata.distribution("copra-tx").entry_points:
        entry_point.load()


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and wheel, the wheel from the sdist, and return their folder."""
    copy, out = tmp_path_factory.mktemp("copy") / "copra-tx", tmp_path_factory.mktemp("dist")
    ignored = shutil.ignore_patterns(".*", "build", "dist", *NOT_SOURCE)
    shutil.copytree(ROOT, copy, ignore=ignored)
    done = _run(sys.executable, "-m", "build", "--outdir", str(out), str(copy))
    assert "Warning" not in done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def clean(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, and nothing but what it asks for; return the folder of the commands."""
    environment = tmp_path_factory.mktemp("clean")
    (wheel,) = distributions.glob("*.whl")
    _run(sys.executable, "-m", "venv", str(environment))
    _run(str(environment / "bin" / "pip"), "install", "--quiet", str(wheel))
    return environment / "bin"


def _run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@dist
def test_the_wheel_has_all_sources_and_nothing_else(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert shipped == _sources()


@dist
def test_the_sdist_has_what_a_build_needs(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "setup.cfg", "README.rst", "LICENSE", *(f"src/{name}" for name in _sources())} <= names


@dist
def test_the_description_renders(distributions: Path) -> None:
    _run(sys.executable, "-m", "twine", "check", "--strict", *map(str, distributions.iterdir()))


@dist
def test_the_requirements_agree(clean: Path) -> None:
    _run(str(clean / "pip"), "check")


@dist
def test_every_public_name_is_there(clean: Path, tmp_path: Path) -> None:
    program = "import copra_tx; [getattr(copra_tx, name) for name in copra_tx.__all__]"
    _run(str(clean / "python"), "-W", "error", "-c", program, cwd=tmp_path)


@dist
@pytest.mark.parametrize("command", ["twistd", "twist"])
def test_the_plugin_is_listed(clean: Path, tmp_path: Path, command: str) -> None:
    listed = _run(str(clean / command), "--help", cwd=tmp_path).stdout
    assert any(line.split()[:1] == ["copra-tx"] for line in listed.splitlines()), listed


@dist
def test_the_demo_shows_the_market(clean: Path, tmp_path: Path) -> None:
    """Into a pipe it writes one JSON object a line."""
    done = _run(str(clean / "copra-tx"), "demo", "--seconds", "3", cwd=tmp_path)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(messages) > 3
    assert all("type" in message for message in messages)
