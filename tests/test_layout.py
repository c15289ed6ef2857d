"""
The house rules that the source keeps: who imports whom, how long files get, which names we take.

Each rule looks at a tree of source and returns its breaches. The project's tree has none; small wrong trees show
that each rule can tell.
"""

from __future__ import annotations

import ast
import configparser
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.protocol import ReconnectingClientFactory

from support.sources import Module, attributes, class_and_bases, modules, used_attributes

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src"
OURS = modules(SRC)

CORE = (
    "copra_tx.errors",
    "copra_tx.feed",
    "copra_tx.integrity",
    "copra_tx.book",
    "copra_tx.websocket.channel",
    "copra_tx.websocket.subscriptions",
    "copra_tx.websocket.backoff",
    "copra_tx.websocket.state",
    "copra_tx.websocket.frames",
    "copra_tx.websocket.counters",
    "copra_tx.websocket.status",
    "copra_tx.websocket.silent",
)
EDGES = (
    *("copra_tx.simulator", "copra_tx.configuration", "copra_tx.output", "copra_tx.tap", "copra_tx.commands"),
    *("copra_tx.cli", "copra_tx.__main__", "twisted.plugins"),
)
OUTSIDE_THE_CORE = {  # parts of the standard library that have a clock, a log, a network, processes or chance
    *("asyncio", "logging", "multiprocessing", "os", "queue", "random", "sched", "secrets", "select", "selectors"),
    *("signal", "socket", "ssl", "subprocess", "threading", "time"),
}
REACTOR_INSTALLERS = (
    "twisted.internet.reactor",
    "klein",
    "txredisapi",
    "prometheus_client.twisted",
    "pika.adapters.twisted_connection",
)
MOST_LINES = 400

Rule = Callable[[list[Module]], Iterable[str]]


def core_stays_pure(tree: list[Module]) -> Iterable[str]:
    """Core imports the standard library without its outside world, msgspec, and core."""
    pure = sys.stdlib_module_names - OUTSIDE_THE_CORE
    for module in tree:
        for imported in module.imports() if module.is_in(*CORE) else ():
            if imported.target.partition(".")[0] not in pure and not imported.is_of("msgspec", *CORE):
                yield f"{module.name}:{imported.line} imports {imported.target}"


def only_the_bridge_knows_asyncio(tree: list[Module]) -> Iterable[str]:
    """Whatever touches asyncio's loop is in one place."""
    for module in tree:
        for imported in module.imports() if not module.is_in("copra_tx.bridge") else ():
            if imported.is_of("asyncio", "uvloop", "twisted.internet.asyncioreactor"):
                yield f"{module.name}:{imported.line} imports {imported.target}"


def only_the_wire_knows_autobahn(tree: list[Module]) -> Iterable[str]:
    """Of the client's packages only ``websocket`` imports Autobahn; the simulator is the other end of the wire."""
    for module in tree:
        for imported in module.imports() if not module.is_in("copra_tx.websocket", "copra_tx.simulator") else ():
            if imported.is_of("autobahn", "txaio"):
                yield f"{module.name}:{imported.line} imports {imported.target}"


def nobody_imports_an_edge(tree: list[Module]) -> Iterable[str]:
    """Simulator, plugin and command use the client; only they use each other."""
    for module in tree:
        for imported in module.imports() if not module.is_in(*EDGES) else ():
            if imported.is_of(*EDGES):
                yield f"{module.name}:{imported.line} imports {imported.target}"


def reactors_are_imported_late(tree: list[Module]) -> Iterable[str]:
    """What installs a reactor when imported is not imported by an import of ours."""
    for module in tree:
        for imported in module.imports():
            if imported.on_import and imported.is_of(*REACTOR_INSTALLERS):
                yield f"{module.name}:{imported.line} imports {imported.target}"


def files_are_short(tree: list[Module]) -> Iterable[str]:
    """A file has one job."""
    for module in tree:
        if len(module.lines) > MOST_LINES:
            yield f"{module.name} has {len(module.lines)} lines"


def public_names_are_documented(tree: list[Module]) -> Iterable[str]:
    """What ``__all__`` offers says what it is."""
    for module in tree:
        for name in module.undocumented():
            yield f"{module.name}.{name} has no docstring"


WRONG: dict[Rule, dict[str, str]] = {
    core_stays_pure: {
        "copra_tx/feed/a.py": "from twisted.internet import task",
        "copra_tx/feed/b.py": "import time",
        "copra_tx/websocket/channel.py": "from .client import Client",
        "copra_tx/errors.py": "def f():\n    import copra_tx.bridge",
        "copra_tx/book/__init__.py": "from ..service import x",
        "copra_tx/websocket/state.py": "if TYPE_CHECKING:\n    import logging",
    },
    only_the_bridge_knows_asyncio: {
        "copra_tx/service.py": "import asyncio",
        "copra_tx/websocket/client.py": "def f():\n    from asyncio import Future",
    },
    only_the_wire_knows_autobahn: {
        "copra_tx/service.py": "from autobahn.twisted.websocket import WebSocketClientProtocol",
        "copra_tx/bridge.py": "try:\n    pass\nexcept ImportError:\n    import txaio",
    },
    nobody_imports_an_edge: {
        "copra_tx/websocket/client.py": "from copra_tx import simulator",
        "copra_tx/service.py": "def f():\n    from .tap import Options",
    },
    reactors_are_imported_late: {
        "copra_tx/service.py": "from twisted.internet import defer, reactor",
        "copra_tx/sinks/redis.py": "import txredisapi",
        "copra_tx/cli.py": "class A:\n    import klein",
    },
    files_are_short: {"copra_tx/service.py": "#\n" * 401},
    public_names_are_documented: {
        "copra_tx/service.py": "__all__ = ['f']\ndef f(): pass",
        "copra_tx/tap.py": "__all__ = ['A']\nA = 1",
        "copra_tx/cli.py": "__all__ = ['A']\nclass A: pass",
    },
}

RIGHT = {
    "copra_tx/feed/a.py": "from datetime import UTC\nimport msgspec\nfrom ..errors import x\nfrom . import b",
    "copra_tx/errors.py": '"""Errors."""\nimport math\n__all__ = ["x"]\nx = 1\n"""One."""',
    "copra_tx/bridge.py": "def f():\n    from twisted.internet import reactor\nimport asyncio",
    "copra_tx/websocket/client.py": "import autobahn.twisted.websocket\nfrom copra_tx import bridge, errors",
    "copra_tx/tap.py": "from .simulator import x\nfrom twisted.internet import task",
    "copra_tx/service.py": "if TYPE_CHECKING:\n    from twisted.internet import reactor\n" + "#\n" * 397,
}

rules = pytest.mark.parametrize("rule", list(WRONG), ids=lambda rule: rule.__name__)


@rules
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    assert list(rule(OURS)) == []


@rules
def test_the_rule_finds_each_breach(rule: Rule, tmp_path: Path) -> None:
    _write(tmp_path, WRONG[rule])
    found = {breach.split(":")[0].split(" ")[0] for breach in rule(modules(tmp_path))}
    assert len(found) == len(WRONG[rule]), found


@rules
def test_the_rule_lets_right_code_pass(rule: Rule, tmp_path: Path) -> None:
    _write(tmp_path, RIGHT)
    assert list(rule(modules(tmp_path))) == []


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def test_the_coverage_gate_knows_the_core() -> None:
    """``tox -e coverage`` asks for all of the core; the list stands there, too."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "tox.ini")
    files = config["core"]["files"].replace("\\", "").replace("\n", "").split(",")
    gate = {file.removeprefix("src/").removesuffix("/*").removesuffix(".py").replace("/", ".") for file in files}
    assert gate == set(CORE)


def test_tests_and_examples_are_short_too() -> None:
    for folder in ("tests", "examples", "benchmarks"):
        assert list(files_are_short(modules(ROOT / folder))) == []


def test_importing_any_module_installs_no_reactor() -> None:
    names = [module.name for module in OURS if not module.name.endswith("__main__")]
    program = """
        import importlib, sys
        for name in sys.argv[1:]:
            importlib.import_module(name)
            assert "twisted.internet.reactor" not in sys.modules, name
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr
    assert done.returncode == 0


# Names. Autobahn's protocol and factory have some 300; one of them taken by accident breaks the wire.


def _theirs(*classes: type) -> set[str]:
    """Return all names of these classes and their bases, those that their methods set on ``self`` included."""
    names: set[str] = set()
    for base in {base for cls in classes for base in cls.__mro__ if base is not object}:
        names |= set(vars(base))
        if base.__module__.startswith(("autobahn.", "twisted.")):
            names |= attributes(ast.parse(textwrap.dedent(inspect.getsource(base))))
        for configured in ("CONFIG_ATTRS_COMMON", "CONFIG_ATTRS_CLIENT"):
            names |= set(vars(base).get(configured, ()))
    return {name for name in names if not (name.startswith("__") and name.endswith("__"))}


PROTOCOL = _theirs(WebSocketClientProtocol)
FACTORY = _theirs(WebSocketClientFactory, ReconnectingClientFactory)


WIRE = class_and_bases("ClientProtocol", OURS)
CLIENT = class_and_bases("Client", OURS)


# What we take over on purpose. A name that turns up here by accident needs another name.
TAKEN_BY_PROTOCOL = {
    *("connectionLost", "connectionMade", "factory", "failHandshake", "onClose", "onMessage", "onOpen"),
    *("consumeData", "data", "dataReceived", "dropConnection", "processHandshake", "sendCloseFrame"),
    *("startHandshake", "trafficStats", "wasClean", "wasNotCleanReason"),
    *("_closeConnection", "_max_message_size_exceeded", "_onClose", "_onMessage", "_onOpen"),
}
TAKEN_BY_CLIENT = {
    *("buildProtocol", "clientConnectionFailed", "clientConnectionLost", "clock", "closeHandshakeTimeout"),
    *("connector", "continueTrying", "delay", "factor", "initialDelay", "jitter", "maxDelay"),
    *("maxFramePayloadSize", "maxMessagePayloadSize", "noisy", "openHandshakeTimeout", "protocol", "resetDelay"),
    *("retries", "retry", "serverConnectionDropTimeout", "startedConnecting", "stopTrying"),
}
# Autobahn documents none of these; an upgrade of it may take them away.
UNDOCUMENTED = {
    *("_closeConnection", "_dataReceived", "_invalid_payload", "_listeners", "_max_message_size_exceeded", "_onClose"),
    *("_onMessage", "_onOpen", "_perMessageCompress", "consumeData", "current_frame", "data", "inside_message"),
    *("logFrames", "logOctets", "processData", "trackedTimings"),
    *("droppedByMe", "http_headers", "http_status_line", "processHandshake", "remoteCloseCode"),
    *("remoteCloseReason", "sendCloseFrame", "startHandshake", "wasClean", "wasNotCleanReason"),
}


def test_the_protocol_takes_no_name_by_accident() -> None:
    assert attributes(WIRE) & PROTOCOL == TAKEN_BY_PROTOCOL


def test_the_client_takes_no_name_by_accident() -> None:
    assert attributes(CLIENT) & FACTORY == TAKEN_BY_CLIENT


def test_what_we_use_of_autobahn_exists_in_the_installed_release() -> None:
    """What is read from ``self`` is ours or theirs, and what theirs is undocumented is on the list."""
    assert used_attributes(WIRE) - attributes(WIRE) - PROTOCOL - {"__init__"} == set()
    assert used_attributes(CLIENT) - attributes(CLIENT) - FACTORY - {"__init__"} == set()
    taken = PROTOCOL & (used_attributes(WIRE) | attributes(WIRE))
    assert {name for name in taken if name.startswith("_")} <= UNDOCUMENTED <= PROTOCOL
