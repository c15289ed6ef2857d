"""``python -m copra_tx`` is the command ``copra-tx``."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
