"""The programs that tests run are looked at closely enough."""

from __future__ import annotations

import pytest

from support.programs import Program


def test_a_program_that_ends_well() -> None:
    assert Program("import sys; print(*sys.argv[1:])", "a", "b").run() == ["a b"]


@pytest.mark.parametrize(
    "source",
    [
        "raise SystemExit(1)",
        "import sys; print('!', file=sys.stderr)",
        "import warnings; warnings.warn('!')",
        "open('/')",
    ],
)
def test_one_that_does_not(source: str) -> None:
    with pytest.raises(AssertionError):
        Program(source).run()


def test_one_that_hangs_is_killed_and_told() -> None:
    program = Program("print('begun', flush=True); import threading; threading.Event().wait()", timeout=1)
    with pytest.raises(AssertionError, match="still there after 1 s"):
        program.run()


def test_ctrl_c_is_pressed_when_a_line_was_printed() -> None:
    source = """
    import threading
    try:
        print("begun", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        print("interrupted")
    """
    assert Program(source, when={"begun": Program.interrupt}).run() == ["begun", "interrupted"]
