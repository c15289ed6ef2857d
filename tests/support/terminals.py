"""A terminal as a person sees it: what a program wrote, as lines on a screen."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Terminal:
    """
    Understands what our programs may send, and refuses everything else.

    Attributes:
        lines: The screen: the alternate one while a program has it, else what was written to stay.
        cursor_shown, wraps, alternate: What the program has switched.
        styles: Every style (``"1;31"``) that was used.
        frames: How often a picture was begun.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.cursor_shown = self.wraps = True
        self.alternate = False
        self.styles: set[str] = set()
        self.frames = 0
        self._rest = ""
        self.resize(columns, rows)
        self._below = [""]

    def resize(self, columns: int, rows: int) -> None:
        """Become another size; what is drawn is cut or stays."""
        self.columns, self.rows = columns, rows
        self._cells = [[" "] * columns for _ in range(rows)]
        self._x = self._y = 0

    @property
    def lines(self) -> list[str]:
        if not self.alternate:
            return self._below
        return ["".join(row).rstrip() for row in self._cells]

    def feed(self, data: bytes) -> None:
        """Take what a program wrote."""
        text = self._rest + data.decode()
        self._rest = ""
        while text:
            if text[0] != "\x1b":
                self._put(text[0])
                text = text[1:]
                continue
            escape = _ESCAPE.match(text)
            if escape is None:
                assert len(text) < 12, f"no escape sequence that we know: {text[:20]!r}"
                self._rest = text
                return
            self._control(*escape.groups())
            text = text[escape.end() :]

    def _put(self, character: str) -> None:
        if not self.alternate:
            if character == "\n":
                self._below.append("")
            elif character != "\r":
                self._below[-1] += character
            return
        if character == "\r":
            self._x = 0
        elif character == "\n":
            assert self._y < self.rows - 1, "the screen scrolled"
            self._y += 1
        else:
            assert character.isprintable(), repr(character)
            assert not self.wraps
            self._cells[self._y][self._x] = character
            self._x = min(self._x + 1, self.columns - 1)  # after the last column the cursor stands on it

    def _control(self, private: str, arguments: str, final: str) -> None:
        match private, arguments, final:
            case "?", "1049", "h" | "l":
                self.alternate = final == "h"
            case "?", "25", "h" | "l":
                self.cursor_shown = final == "h"
            case "?", "7", "h" | "l":
                self.wraps = final == "h"
            case "", "", "H":
                self._x = self._y = 0
                self.frames += 1
            case "", "", "K":
                self._cells[self._y][self._x :] = [" "] * (self.columns - self._x)
            case "", "", "J":
                self._cells[self._y][self._x :] = [" "] * (self.columns - self._x)
                self._cells[self._y + 1 :] = [[" "] * self.columns for _ in range(self.rows - self._y - 1)]
            case "", "2", "J":
                self._cells = [[" "] * self.columns for _ in range(self.rows)]
            case "", _, "m":
                self.styles.add(arguments)
            case _:
                raise AssertionError(f"no escape sequence that we know: {private}{arguments}{final}")
