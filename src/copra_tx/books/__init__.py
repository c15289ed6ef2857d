"""Books kept for you: a client that has them right, or says that it has not."""

from __future__ import annotations

from .client import BookClient

__all__ = ["BookClient"]
