"""The mutations of a Python file: each is one small change of its behaviour."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from itertools import accumulate

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Pow: ast.Mult,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_DECIDES_ITSELF = (ast.Compare, ast.BoolOp, ast.NamedExpr)  # conditions that have separate mutations


@dataclass(frozen=True, slots=True)
class Mutation:
    """The text between two offsets of a file, and what replaces it."""

    line: int
    start: int
    end: int
    text: str

    def apply(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]

    def diff(self, source: str) -> str:
        """The changed lines, each after `-` or `+`."""
        lines = unified_diff(source.splitlines(), self.apply(source).splitlines(), lineterm="", n=0)
        return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def find_mutations(source: str) -> list[Mutation]:
    """All mutations of a file in the order of their places.

    Annotations, decorators, docstrings and texts are left as they are: they decide nothing, or are wording.
    """
    starts = [0, *accumulate(len(line.encode()) for line in source.splitlines(keepends=True))]
    encoded = source.encode()
    found: dict[tuple[int, int, str], Mutation] = {}
    for node, new in _changes(ast.parse(source)):
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        start, end = len(encoded[:first].decode()), len(encoded[:last].decode())
        if new != source[start:end]:
            found[start, end, new] = Mutation(node.lineno, start, end, new)
    return sorted(found.values(), key=lambda mutation: (mutation.start, mutation.end, mutation.text))


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Every node below one that can be changed, with its new text."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_comment", "pattern"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.expr):
                yield from ((child, text) for text in _expressions(child, is_condition=name in ("test", "ifs")))
            elif isinstance(child, ast.stmt):
                yield from ((child, text) for text in _statements(child))
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from _changes(child)


def _expressions(node: ast.expr, *, is_condition: bool) -> Iterator[str]:
    match node:
        case ast.Compare(left, ops, comparators):
            for number, operator in enumerate(ops):
                for other in _COMPARISONS[type(operator)]:
                    changed = [*ops[:number], other(), *ops[number + 1 :]]
                    yield ast.unparse(ast.Compare(left, changed, comparators))
        case ast.BoolOp(operator, values):
            other = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield f"({ast.unparse(ast.BoolOp(other, values))})"
            for number in range(len(values)):  # without one of its parts
                rest = [*values[:number], *values[number + 1 :]]
                yield f"({ast.unparse(rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest))})"
        case ast.UnaryOp(ast.Not(), operand):
            yield f"({ast.unparse(operand)})"
        case ast.BinOp(left, operator, right) if type(operator) in _OPERATORS:
            yield f"({ast.unparse(ast.BinOp(left, _OPERATORS[type(operator)](), right))})"
        case ast.Constant(bool(value)):
            yield str(not value)
        case ast.Constant(int(value) | float(value)):
            yield f"{value + 1}"
        case ast.Call(ast.Name(name), [_, *_]) if name in _CALLS:
            arguments = node.args if name != "sorted" else node.args[:1]
            keywords = node.keywords if name != "sorted" else []
            yield ast.unparse(ast.Call(ast.Name(_CALLS[name], ast.Load()), arguments, keywords))
        case _:
            if is_condition and not isinstance(node, _DECIDES_ITSELF):
                yield f"(not {ast.unparse(node)})"


def _statements(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Return(ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return None"
        case ast.Expr(ast.Call()) | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
            yield "pass"
        case ast.Assign([ast.Attribute() | ast.Subscript()], _) | ast.AugAssign():
            yield "pass"
        case _:
            pass
