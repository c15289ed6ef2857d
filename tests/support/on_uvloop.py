"""A pytest plugin, for ``-p support.on_uvloop``: the reactor of the tests lives on uvloop."""

from __future__ import annotations

import asyncio

import uvloop

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
