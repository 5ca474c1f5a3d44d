"""Every way to break a module in one place: a comparison, a constant, a branch or a call that is another one.

What breaks it are operators of Cosmic Ray, the library's own by name, and ours for what it leaves alone. mutmut 3
is no help here: it puts a function of its own in the place of each, and leaves properties, a module's constants
and whatever else is no plain function as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator

# One place is broken in one or two ways that a test may well not see, not in the dozen that any would.
OF_THE_LIBRARY = [
    *("ReplaceComparisonOperator_Eq_NotEq", "ReplaceComparisonOperator_NotEq_Eq"),
    *("ReplaceComparisonOperator_Lt_LtE", "ReplaceComparisonOperator_Lt_GtE"),
    *("ReplaceComparisonOperator_LtE_Lt", "ReplaceComparisonOperator_LtE_Gt"),
    *("ReplaceComparisonOperator_Gt_GtE", "ReplaceComparisonOperator_Gt_LtE"),
    *("ReplaceComparisonOperator_GtE_Gt", "ReplaceComparisonOperator_GtE_Lt"),
    *("ReplaceComparisonOperator_Is_IsNot", "ReplaceComparisonOperator_IsNot_Is"),
    *("ReplaceBinaryOperator_Add_Sub", "ReplaceBinaryOperator_Sub_Add"),
    *("ReplaceBinaryOperator_Mul_Add", "ReplaceBinaryOperator_Mod_Add"),
    *("ReplaceBinaryOperator_Div_Mul", "ReplaceBinaryOperator_Pow_Mul"),
    *("ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub"),
    *("AddNot", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "NumberReplacer"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop"),
    *("ExceptionReplacer", "RemoveDecorator"),
]


class Mutant(NamedTuple):
    """A module with one fault in it."""

    function: str  # "" outside of all
    line: str
    becomes: str
    source: str

    @property
    def name(self) -> str:
        """What it is known by: no line number, so that it is still known when lines come and go above it."""
        return f"{self.function or 'outside'}: {self.line}  ->  {self.becomes}"


class _Ours(Operator):
    """One that changes each place that it knows in one way."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if self.knows(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        changed = get_ast(self.instead(node)).children[0]
        changed.get_first_leaf().prefix = node.get_first_leaf().prefix  # an indentation, say
        return changed

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()

    def knows(self, node: Any) -> bool:
        raise NotImplementedError

    def instead(self, node: Any) -> str:
        raise NotImplementedError


class DropCall(_Ours):
    """A call that is a statement of its own does not happen."""

    def knows(self, node: Any) -> bool:
        return _is_call(node) and node.parent.type == "simple_stmt"

    def instead(self, node: Any) -> str:
        return "pass"


class BypassCall(_Ours):
    """A call whose value is used gives what it was given: its first argument, or the object whose method it is."""

    def knows(self, node: Any) -> bool:
        if not _is_call(node) or node.parent.type in ("simple_stmt", "decorator"):
            return False
        return not _is_cast(node)

    def instead(self, node: Any) -> str:
        *called, trailer = node.children
        given = trailer.children[1:-1]
        if given:
            first = given[0].children[0] if given[0].type == "arglist" else given[0]
            value = first.children[-1] if first.type == "argument" else first
            return f"({value.get_code().strip()})"
        code = "".join(child.get_code(include_prefix=i > 0) for i, child in enumerate(called[:-1]))
        return code if called[-1].type == "trailer" else "None"


class SwapCall(_Ours):
    """The function that is its opposite."""

    OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}  # noqa: RUF012

    def knows(self, node: Any) -> bool:
        if node.type != "name" or node.value not in self.OPPOSITES:
            return False
        return _is_call(node.parent) and node.parent.children[0] is node

    def instead(self, node: Any) -> str:
        return self.OPPOSITES[node.value]


class SwapMembership(_Ours):
    """`in` for `not in`, and the other way."""

    def knows(self, node: Any) -> bool:
        if node.parent is None or node.parent.type != "comparison":
            return False
        return " ".join(node.get_code().split()) in ("in", "not in")

    def mutate(self, node: Any, index: int) -> Any:
        meant = "in" if node.type == "comp_op" else "not in"
        return get_ast(f"a {meant} b").children[0].children[1]


class ReplaceText(_Ours):
    """A text that is empty, or one that is not."""

    def knows(self, node: Any) -> bool:
        if node.type not in ("string", "fstring") or _is_docstring(node):
            return False
        return node.parent.type != "strings" or node.parent.children[0] is node

    def instead(self, node: Any) -> str:
        code = node.get_code(include_prefix=False)
        kind = "b" if code[0] in "bB" else ""
        return f'{kind}""' if code.strip("rbfBRF") not in ('""', "''") else f'{kind}"XX"'


class ReplaceNone(_Ours):
    """Something where there was nothing."""

    def knows(self, node: Any) -> bool:
        is_none = node.type == "keyword" and node.value == "None"
        return is_none and node.parent.type != "comparison"

    def instead(self, node: Any) -> str:
        return "1"


class ReplaceAugmented(_Ours):
    """What is added is taken away, or put in its place."""

    def knows(self, node: Any) -> bool:
        return node.type == "operator" and node.value in ("+=", "-=")

    def mutate(self, node: Any, index: int) -> Any:
        node.value = "="
        return node


OURS = [
    *(DropCall, BypassCall, SwapCall, SwapMembership),
    *(ReplaceText, ReplaceNone, ReplaceAugmented),
]


def mutants(source: str) -> Iterator[Mutant]:
    """A module broken at each place, one place at a time."""
    meant, tree = ast.dump(ast.parse(source)), list(ast_nodes(get_ast(source)))
    operators = [*(get_operator(f"core/{name}")() for name in OF_THE_LIBRARY), *(o() for o in OURS)]
    for operator in operators:
        for occurrence, node in enumerate(_places(tree, operator)):
            if _says_nothing(node, operator):
                continue
            broken = mutate_code(source, operator, occurrence)
            if broken is not None and _is_another(broken, meant):
                yield _named(source, broken, node)


def _places(tree: list[Any], operator: Operator) -> Iterator[Any]:
    for node in tree:
        for _ in operator.mutation_positions(node):
            yield node


def _is_another(broken: str, meant: str) -> bool:
    """Whether it is a program at all, and not the same."""
    try:
        return ast.dump(ast.parse(broken)) != meant
    except SyntaxError:
        return False


def _says_nothing(node: Any, operator: Operator) -> bool:
    """Whether nothing, or nothing new, is seen of a change here."""
    if (
        type(operator).__name__ == "AddNot"
    ):  # the operators of comparisons and of `not` turn these round
        return _condition(node).type in ("comparison", "not_test")
    while node.parent is not None:
        parent = node.parent
        if parent.type == "annassign" and node is parent.children[1]:
            return True
        if parent.type == "tfpdef" and node is parent.children[-1]:
            return True
        if parent.type == "funcdef" and node is parent.annotation:
            return True
        if parent.type in ("import_from", "import_name"):
            return True
        if (
            parent.type == "arglist"
            and node is parent.children[0]
            and _is_cast(parent.parent.parent)
        ):
            return True
        node = parent
    return False


def _condition(node: Any) -> Any:
    return node.children[2 if node.type == "test" else 1]


def _is_call(node: Any) -> bool:
    if node.type not in ("atom_expr", "power"):
        return False
    last = node.children[-1]
    return last.type == "trailer" and last.children[0].value == "("


def _is_cast(node: Any) -> bool:
    """Whether this is a word to the type checker."""
    return _is_call(node) and node.children[0].get_code(include_prefix=False) == "cast"


def _is_docstring(node: Any) -> bool:
    return node.parent.type == "simple_stmt"


def _named(source: str, broken: str, node: Any) -> Mutant:
    before, after = source.splitlines(), broken.splitlines()
    first = next(i for i, (old, new) in enumerate(zip(before, after)) if old != new)  # noqa: B905
    same = 0
    while before[-1 - same] == after[-1 - same] and same < min(len(before), len(after)) - first - 1:
        same += 1
    line = " ".join(text.strip() for text in before[first : len(before) - same])
    becomes = " ".join(text.strip() for text in after[first : len(after) - same])
    return Mutant(_function_of(node), line, becomes, broken)


def _function_of(node: Any) -> str:
    names: list[str] = []
    while node is not None:
        if node.type in ("funcdef", "classdef"):
            names.insert(0, node.name.value)
        node = node.parent
    return ".".join(names)
