"""Sphinx: ``tox -e docs`` builds these pages, without warnings, and runs their doctests."""

from __future__ import annotations

import sys
from pathlib import Path

from copra_tx import __version__

sys.path.insert(0, str(Path(__file__).parent))

project = "copra-tx"
copyright = "the copra-tx authors"
release = version = __version__

extensions = [
    "directives",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["copra.css"]
html_title = f"copra-tx {release}"
highlight_language = "default"

autodoc_member_order = "bysource"
python_maximum_signature_line_length = 100
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# Our docstrings say whence they know something about the exchange.
napoleon_custom_sections = [("Source", "notes_style")]
