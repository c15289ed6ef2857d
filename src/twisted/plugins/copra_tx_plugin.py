"""The command ``copra-tx`` of ``twistd`` and ``twist``; imported whenever they look for plugins."""

from __future__ import annotations

from twisted.application.service import ServiceMaker

copra_tx = ServiceMaker("copra-tx", "copra_tx.tap", "Coinbase market data, into a file or your own client.", "copra-tx")
