"""Every test runs under the rules of ``support.strictness``."""

from __future__ import annotations

pytest_plugins = ["support.strictness", "support.reactors"]
