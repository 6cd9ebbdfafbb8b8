"""Mutants of a source file: copies that differ in one place, such as `<` for `<=`, or an argument that is left out.

The changes are those of mutmut. Its own runner isn't used: it leaves out decorated functions, which here are the
compiled ones, and it can't draw a sample.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import (
    mutation_operators,
    operator_arg_removal,
    operator_assignment,
)

# Their arguments are types, or words of messages; a change of these changes nothing that a test should hold.
_UNCHANGED_CALLS = {"len", "isinstance", "cast"}
# What these make of a compiled function is no code that numba compiles, so that any test would fail.
_NOT_COMPILABLE = (operator_arg_removal, operator_assignment)


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes
    ----------
    path : Path
        The source file.
    key : str
        Path, function, line of code and change: the same after other lines of the file were changed.
    line : int
        Where the change is, from 1.
    lines : range
        The lines of the outermost function that is changed; empty at the level of the module or a class.
    compiled : bool
        Whether numba compiles that function.
    tree : Module
        The whole file.
    nodes : pair of CSTNode
        The changed piece before and after, in that tree.
    """

    path: Path
    key: str
    line: int
    lines: range
    compiled: bool
    tree: cst.Module
    nodes: tuple[cst.CSTNode, cst.CSTNode]

    def text(self) -> str | None:
        """The whole file with the change; None if that is no Python."""
        text: str = self.tree.deep_replace(*self.nodes).code
        try:
            ast.parse(text)
        except SyntaxError:
            return None
        return text

    def __str__(self) -> str:
        return f"line {self.line} of {self.key}"


def list_mutants(path: Path) -> list[Mutant]:
    """List all mutants of a file, in the order of the file."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
    finder = _Finder(path, wrapper.module)
    wrapper.visit(finder)
    return finder.mutants


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, path: Path, module: cst.Module) -> None:
        super().__init__()
        self.mutants: list[Mutant] = []
        self._path = path
        self._module = module
        self._code = module.code.splitlines()
        self._keys: Counter[str] = Counter()
        self._outer: list[cst.ClassDef | cst.FunctionDef] = []
        self._in_raise = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if self._is_left_out(node):
            return False
        self.mutants.extend(self._mutate(node))
        if isinstance(node, cst.ClassDef | cst.FunctionDef):
            self._outer.append(node)
        self._in_raise += isinstance(node, cst.Raise)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if self._outer and self._outer[-1] is original_node:
            self._outer.pop()
        self._in_raise -= isinstance(original_node, cst.Raise)

    def _is_left_out(self, node: cst.CSTNode) -> bool:
        """Type hints, decorators, docstrings, imports, and the words of errors."""
        if isinstance(
            node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom | cst.TypeAlias
        ):
            return True
        if isinstance(node, cst.Expr) and isinstance(
            node.value, cst.SimpleString | cst.ConcatenatedString
        ):
            return True
        if isinstance(node, cst.BaseString | cst.FormattedStringText) and self._in_raise:
            return True
        return (
            isinstance(node, cst.Call)
            and isinstance(node.func, cst.Name)
            and node.func.value in _UNCHANGED_CALLS
        )

    def _mutate(self, node: cst.CSTNode) -> Iterator[Mutant]:
        for kind, operator in mutation_operators:
            if not isinstance(node, kind) or (operator in _NOT_COMPILABLE and self._is_compiled()):
                continue
            for changed in operator(node):
                line = self.get_metadata(PositionProvider, node).start.line
                yield Mutant(
                    self._path,
                    self._key(line, node, changed),
                    line,
                    self._lines_of_function(),
                    self._is_compiled(),
                    self._module,
                    (node, changed),
                )

    def _key(self, line: int, node: cst.CSTNode, changed: cst.CSTNode) -> str:
        place = ".".join(each.name.value for each in self._outer) or "module"
        before, after = (_short(self._module.code_for_node(each)) for each in (node, changed))
        key = f"{self._path} {place}: {self._code[line - 1].strip()}: {before} -> {after}"
        self._keys[key] += 1
        return key if self._keys[key] == 1 else f"{key} ({self._keys[key]})"

    def _functions(self) -> list[cst.FunctionDef]:
        return [each for each in self._outer if isinstance(each, cst.FunctionDef)]

    def _lines_of_function(self) -> range:
        if not (functions := self._functions()):
            return range(0)
        place = self.get_metadata(PositionProvider, functions[0].body)
        return range(place.start.line, place.end.line + 1)

    def _is_compiled(self) -> bool:
        decorators = (each for function in self._functions() for each in function.decorators)
        return any("njit" in self._module.code_for_node(each) for each in decorators)


def _short(code: str) -> str:
    code = " ".join(code.split())
    return code if len(code) <= 150 else f"{code[:147]}..."
