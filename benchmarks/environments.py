"""The environments of the contestants: one for each set of requirements, made when first needed."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

__all__ = ["ROOT", "Environments"]

ROOT = Path(__file__).parent.parent

REQUIREMENTS = {
    "picows": ("picows>=2.3", "orjson>=3.10"),
    "websockets": ("websockets>=15", "orjson>=3.10"),
    "CoPrA": ("copra==1.2.9",),
    "copra-tx[fast]": (f"{ROOT}[fast]",),
}
"""What is installed into each. ``copra-tx`` is not here: its environment is the one that runs this."""


class Environments:
    """
    The interpreters of all environments.

    Args:
        folder: Where the environments are, or will be. ``None``: there is only the one that runs this.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def has(self, environment: str) -> bool:
        """Tell whether there is such an environment, or may be."""
        if environment == "copra-tx":
            return True
        if environment == "copra-tx[fast]" and "fast" not in (
            metadata.metadata("copra-tx").get_all("Provides-Extra") or ()
        ):
            return False
        return self._folder is not None

    def python(self, environment: str) -> str:
        """
        Return the interpreter of an environment; make the environment if it is not there.

        Raises:
            CalledProcessError: If something cannot be installed.
        """
        if environment == "copra-tx":
            return sys.executable
        assert self._folder is not None
        folder = self._folder / environment.replace("[", "-").replace("]", "")
        python, done = folder / "bin" / "python", folder / "requirements.txt"
        wanted = "\n".join(REQUIREMENTS[environment])
        # The project's own may have changed since.
        if not done.exists() or done.read_text() != wanted or environment.startswith("copra-tx"):
            print(f"Making the environment of {environment}", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            subprocess.run((*pip, *REQUIREMENTS[environment]), check=True, stdout=sys.stderr)
            done.write_text(wanted)
        return str(python)
