"""What the source of a package says without running it: its modules, their imports, their names."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Import:
    """
    One import.

    Attributes:
        target: Full dotted name of what is imported; for ``from a import b`` it is ``a.b``.
        line: Where it stands.
        on_import: Whether it runs when the module is imported: not inside a function, and not for type
            checkers only.
    """

    target: str
    line: int
    on_import: bool

    def is_of(self, *packages: str) -> bool:
        """Return whether what is imported is one of these packages, or something inside one."""
        return any(self.target == package or self.target.startswith(f"{package}.") for package in packages)


class Module:
    """One file of source."""

    def __init__(self, root: Path, path: Path) -> None:
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        self.path = path
        self.name = ".".join(parts[:-1] if is_package else parts)
        self.package = self.name if is_package else self.name.rpartition(".")[0]
        self.lines = path.read_text(encoding="utf-8").splitlines()
        self.tree = ast.parse("\n".join(self.lines))

    def is_in(self, *packages: str) -> bool:
        """Return whether it is one of these packages or modules, or inside one."""
        return Import(self.name, 0, on_import=True).is_of(*packages)

    def imports(self) -> Iterator[Import]:
        """Find all its imports, relative ones resolved."""
        return self._imports(self.tree.body, on_import=True)

    def _imports(self, nodes: list[ast.stmt], *, on_import: bool) -> Iterator[Import]:
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, node.lineno, on_import)
            elif isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                for alias in node.names:
                    yield Import(f"{origin}.{alias.name}", node.lineno, on_import)
            else:
                late = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
                for _, value in ast.iter_fields(node):
                    if isinstance(value, list):
                        inner = [item for item in value if isinstance(item, ast.stmt | ast.excepthandler)]
                        yield from self._imports(inner, on_import=on_import and not late and not for_types)  # type: ignore[arg-type]

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.package.split(".")[: len(self.package.split(".")) - node.level + 1]
        return ".".join([*package, *([node.module] if node.module else [])])

    def public_names(self) -> list[str]:
        """Return its ``__all__``."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return list(ast.literal_eval(node.value))
        return []

    def undocumented(self) -> list[str]:
        """Return the names of its ``__all__`` that it defines without a docstring, or a string below a value."""
        names = []
        for node, following in zip(self.tree.body, [*self.tree.body[1:], ast.Pass()], strict=True):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                defined, documented = node.name, ast.get_docstring(node) is not None
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                defined, documented = ast.unparse(target), _is_text(following)
            else:
                continue
            if not documented:
                names.append(defined)
        return [name for name in names if name in self.public_names() and name != "__version__"]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def modules(root: Path) -> list[Module]:
    """Return all modules below ``root``, which is what would stand on ``sys.path``."""
    return [Module(root, path) for path in sorted(root.rglob("*.py"))]


def class_and_bases(name: str, tree: list[Module]) -> ast.Module:
    """Return the definition of a class and those of its bases that stand in ``tree``, too."""
    defined = {node.name: node for module in tree for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)}
    found: list[ast.stmt] = []
    wanted = [name]
    while wanted:
        node = defined.get(wanted.pop())
        if node is not None:
            found.append(node)
            wanted += [ast.unparse(base) for base in node.bases]
    return ast.Module(found, type_ignores=[])


def attributes(tree: ast.AST) -> set[str]:
    """Return the names which the classes in ``tree`` define, in their bodies or by assignment to ``self``."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names |= _defined(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value):
            names.add(node.attr)
    return {name for name in names if not (name.startswith("__") and name.endswith("__"))}


def _defined(node: ast.ClassDef) -> set[str]:
    names = set()
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            names |= {ast.unparse(target) for target in statement.targets}
        elif isinstance(statement, ast.AnnAssign):
            names.add(ast.unparse(statement.target))
    return names


def used_attributes(tree: ast.AST) -> set[str]:
    """Return the names which ``tree`` reads from ``self`` or ``super()``."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (_is_self(node.value) or ast.unparse(node.value) == "super()")
    }


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
