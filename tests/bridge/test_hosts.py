"""The same few lines of a program in every kind of host, each in its own process, against the simulated exchange."""

from __future__ import annotations

import json
import urllib.request

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from copra_tx.simulator import SimulatedExchange
from support.programs import STRICT, Program

# The reactor that runs the test makes no difference to the program.
pytestmark = pytest.mark.asyncio_only

FEED = """
import asyncio, sys, threading
from copra_tx.bridge import attach, detach
from copra_tx.errors import ReactorMismatchError, WrongThreadError
from copra_tx.websocket import Channel, Client

class Ticker(Client):
    latest = None

    def on_open(self):
        print("open", flush=True)
        super().on_open()

    def on_message(self, message):
        if message["type"] == "ticker" and self.latest is None:
            self.latest = message
            print(message["product_id"], flush=True)
            self.when_ticker()

    def when_ticker(self):
        pass

    def on_close(self, was_clean, code, reason):
        print("closed", was_clean, code, reason, flush=True)
        super().on_close(was_clean, code, reason)

def make(loop, **options):
    return Ticker(loop, Channel("ticker", "BTC-USD"), sys.argv[1], **options)

async def until_ticker(client):
    ticker = asyncio.Event()
    client.when_ticker = ticker.set
    await ticker.wait()
"""

SEEN = ["open", "BTC-USD", "closed True 1000 "]


@pytest.fixture
def url(simulated_exchange: SimulatedExchange) -> str:
    """Its address by name, so that a thread of the reactor's looks the name up."""
    return simulated_exchange.url.replace("127.0.0.1", "localhost")


def run(source: str, *arguments: str, **keywords: object) -> Deferred[list[str]]:
    program = Program(FEED + source, *arguments, **keywords)  # type: ignore[arg-type]
    return deferToThread(program.run)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_run_forever_and_ctrl_c(url: str, loop: str) -> None:
    program = f"""
import {loop}
loop = {loop}.new_event_loop()
client = make(loop)
try:
    loop.run_forever()
except KeyboardInterrupt:
    print("interrupted")
    loop.run_until_complete(client.close())
finally:
    loop.close()
"""
    lines = await run(program, url, when={"BTC-USD": Program.interrupt})
    assert lines == ["open", "BTC-USD", "interrupted", "closed True 1000 "]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_asyncio_run_twice(url: str, loop: str) -> None:
    program = f"""
import {loop}
async def main():
    client = make(asyncio.get_running_loop())
    await until_ticker(client)
    await client.close()
{loop}.run(main())
{loop}.run(main())
"""
    assert await run(program, url) == SEEN + SEEN


@pytest.mark.parametrize("transport", ["twisted", "asyncio"])
async def test_a_client_that_was_left_open_goes_on_with_the_next_loop(url: str, transport: str) -> None:
    program = f"""
import logging
logging.basicConfig(stream=sys.stdout, format="%(message)s")

async def first():
    client = make(asyncio.get_running_loop(), transport="{transport}")
    await until_ticker(client)
    return client

async def second():
    await client.subscribe(Channel("heartbeat", "BTC-USD"))
    await client.close()

client = asyncio.run(first())
asyncio.run(second())
"""
    # asyncio tells, too, that its transport was left open.
    options = (*STRICT, "-W", "ignore:unclosed transport:ResourceWarning")
    opened, ticker, warning, *lines, closed = await run(program, url, options=options)
    assert (opened, ticker, closed) == ("open", "BTC-USD", "closed True 1000 ")
    assert warning.startswith("A loop was closed with 1 connections and ")
    if transport == "twisted":  # it moved along
        assert lines == []
    else:  # it ended with its loop, and the client connected again
        lost, opened = lines
        assert lost.startswith("closed False 1006 ")
        assert opened == "open"


async def test_asyncio_run_and_ctrl_c(url: str) -> None:
    program = """
async def main():
    async with make(asyncio.get_running_loop()):
        await asyncio.Event().wait()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""
    assert await run(program, url, when={"BTC-USD": Program.interrupt}) == [*SEEN, "interrupted"]


async def test_iteration_in_asyncio_run(url: str) -> None:
    program = """
async def main():
    async with make(None) as client:
        async for message in client:
            if message["type"] == "ticker":
                break
asyncio.run(main())
"""
    assert await run(program, url) == SEEN


@pytest.mark.parametrize("loop", ["None", "asyncio.new_event_loop()"])
async def test_reactor_run(url: str, loop: str) -> None:
    program = f"""
client = make({loop})
from twisted.internet import reactor
client.when_ticker = lambda: client.close().addCallback(lambda _: reactor.stop())
reactor.run()
client.loop.close()
"""
    assert await run(program, url) == SEEN


async def test_reactor_run_and_ctrl_c(url: str) -> None:
    program = """
loop = asyncio.new_event_loop()
client = make(loop)
from twisted.internet import reactor
reactor.addSystemEventTrigger("before", "shutdown", client.close)
reactor.run()
loop.close()
"""
    assert await run(program, url, when={"BTC-USD": Program.interrupt}) == SEEN


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_fastapi_under_uvicorn(url: str, loop: str) -> None:
    program = f"""
import contextlib, socket, fastapi, uvicorn

@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.client = make(asyncio.get_running_loop())
    yield
    await app.state.client.close()

app = fastapi.FastAPI(lifespan=lifespan)

@app.get("/latest")
async def latest():
    return app.state.client.latest

with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    uvicorn.run(app, fd=server.fileno(), loop="{loop}", log_level="warning")
"""
    answers = []

    def ask_and_interrupt(program: Program) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{program.lines[0]}/latest", timeout=10) as answer:
            answers.append(json.load(answer))
        program.interrupt()

    lines = await run(program, url, when={"BTC-USD": ask_and_interrupt})
    assert lines[1:] == SEEN
    assert answers[0]["product_id"] == "BTC-USD"


async def test_a_notebook(url: str) -> None:
    program = """
import sys
from jupyter_client.manager import KernelManager

def show(message):
    content = message["content"]
    if message["msg_type"] == "stream":
        print(content["text"], end="", flush=True)
    elif message["msg_type"] == "error":
        print(*content["traceback"], flush=True)

manager = KernelManager(kernel_name="python3", transport="ipc")
manager.start_kernel()
kernel = manager.client()
kernel.start_channels()
try:
    kernel.wait_for_ready(timeout=20)
    for cell in sys.argv[2:]:
        kernel.execute_interactive(cell, timeout=20, output_hook=show)
    kernel.shutdown()
    manager.provisioner.process.wait(10)
    print("kernel ended", manager.provisioner.process.returncode)
finally:
    kernel.stop_channels()
    manager.shutdown_kernel(now=True)
"""
    cells = [
        # What a callback prints belongs to no cell, and is not shown reliably.
        FEED.replace("sys.argv[1]", repr(url)) + "lines = []\nprint = lambda *words, flush: lines.append(words)",
        "client = make(asyncio.get_running_loop())",
        "await until_ticker(client)",
        "await client.subscribe(Channel('heartbeat', 'BTC-USD')); print(*sorted(client.channels), flush=True)",
        "await client.close()",
        "await detach(client.reactor)",
        "client = make(None)\nawait until_ticker(client)\nawait client.close()",
        "del print\nfor words in lines: print(*words)",
    ]
    lines = await deferToThread(Program(program, url, *cells, options=()).run)
    assert lines == ["open", "BTC-USD", "heartbeat ticker", "closed True 1000 ", *SEEN, "kernel ended 0"]


async def test_an_epoll_reactor_that_is_installed_already(url: str) -> None:
    program = """
from twisted.internet import epollreactor
epollreactor.install()
from twisted.internet import reactor

with asyncio.Runner() as runner:
    try:
        make(runner.get_loop())
    except ReactorMismatchError as error:
        print(error)

client = make(None)
assert client.loop is None and client.reactor is reactor
client.when_ticker = lambda: client.close().addCallback(lambda _: reactor.stop())
reactor.run()
"""
    refusal, *lines = await run(program, url)
    for expected in ("EPollReactor is installed", "loop=None", "copra_tx.bridge.attach(loop)", "--reactor=asyncio"):
        assert expected in refusal
    assert lines == SEEN


CALLS_FROM_A_FOREIGN_THREAD = """
def refused(call, *arguments):
    try:
        call(*arguments)
    except WrongThreadError as error:
        print(error)
    else:
        print(call, "was not refused")

def call_everything(client):
    more = Channel("heartbeat", "BTC-USD")
    for call in (client.subscribe, client.unsubscribe, client.renew):
        refused(call, more)
    refused(client.add_as_task_to_loop)
    refused(client.close)
"""

REFUSED = [
    f"{call} was called from a thread that does not run the reactor; "
    "use loop.call_soon_threadsafe(...) or reactor.callFromThread(...)"
    for call in (
        "Ticker.subscribe()",
        "Ticker.unsubscribe()",
        "Ticker.renew()",
        "Ticker.add_as_task_to_loop()",
        "Ticker.close()",
    )
]


async def test_a_loop_in_another_thread(url: str) -> None:
    program = (
        CALLS_FROM_A_FOREIGN_THREAD
        + """
loop = asyncio.new_event_loop()
thread = threading.Thread(target=loop.run_forever)
thread.start()

def in_loop(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)

async def start():
    client = make(loop)
    await until_ticker(client)
    return client

async def close():
    await client.close()

client = in_loop(start())
call_everything(client)
for another in (loop, None):
    refused(make, another)

done = threading.Event()
def subscribe():
    client.subscribe(Channel("heartbeat", "BTC-USD")).addCallback(lambda _: done.set())
client.reactor.callFromThread(subscribe)
print(done.wait(10))
done.clear()
def unsubscribe():
    client.unsubscribe(Channel("heartbeat", "BTC-USD")).addCallback(lambda _: done.set())
loop.call_soon_threadsafe(unsubscribe)
print(done.wait(10))
in_loop(close())
loop.call_soon_threadsafe(loop.stop)
thread.join()
loop.close()
"""
    )
    attach = REFUSED[0].replace("Ticker.subscribe()", "attach()")
    assert await run(program, url) == ["open", "BTC-USD", *REFUSED, attach, attach, "True", "True", "closed True 1000 "]


async def test_calls_from_another_thread_than_that_of_an_epoll_reactor(url: str) -> None:
    program = (
        CALLS_FROM_A_FOREIGN_THREAD
        + """
from twisted.internet import epollreactor
epollreactor.install()
from twisted.internet import reactor, threads

client = make(None)
call_everything_there = lambda: threads.deferToThread(call_everything, client)
client.when_ticker = lambda: call_everything_there().addCallback(
    lambda _: client.close()).addCallback(lambda _: reactor.stop())
reactor.run()
"""
    )
    assert await run(program, url) == ["open", "BTC-USD", *REFUSED, "closed True 1000 "]


async def test_made_in_one_thread_and_run_in_another(url: str) -> None:
    program = """
loop = asyncio.new_event_loop()
client = make(loop)
ended = threading.Event()
client.when_ticker = lambda: client.close().addCallback(lambda _: loop.stop())
thread = threading.Thread(target=loop.run_forever)
thread.start()
thread.join()
loop.close()
"""
    assert await run(program, url) == SEEN
