"""Reading a pickle without unpickling it.

Unpickling runs whatever the file asks for. Here :func:`pickletools.genops` only splits the file into its
instructions, and the few that are needed for numpy arrays, dict, list, tuple, str, int, float, bool and None
are carried out below on plain values. No name in the file is ever looked up and nothing in it is ever
called: the four names that a pickled array mentions are stood for by :class:`_Name`.
"""

from __future__ import annotations

import enum
import math
import pickletools
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from glasslib.errors import GlassError
from glasslib.readers.boundary import reading


class _Name(enum.Enum):
    """What stands on the stack where unpickling would put a function or a class."""

    RECONSTRUCT = enum.auto()
    NDARRAY = enum.auto()
    DTYPE = enum.auto()
    ENCODE = enum.auto()


_NAMES = {
    "numpy.core.multiarray _reconstruct": _Name.RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": _Name.RECONSTRUCT,
    "numpy ndarray": _Name.NDARRAY,
    "numpy dtype": _Name.DTYPE,
    "_codecs encode": _Name.ENCODE,  # protocol 2 writes bytes as text
}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_CONTAINERS = {"EMPTY_LIST": list, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME", "STOP"}

_MARK = object()


@dataclass
class _Type:
    """A numpy dtype whose byte order comes with a later instruction."""

    code: str
    order: str = "="


@dataclass
class _Array:
    """A numpy array whose contents come with a later instruction."""

    values: NDArray[Any] | None = None


def load_pickle(data: bytes, source: str) -> Any:
    """The value pickled in ``data``: numpy arrays, dict, list, tuple, str, int, float, bool, None.

    Raises
    ------
    GlassError
        When the pickle is damaged or asks for anything else. Nothing in it is run.
    """
    machine = _Machine(source, len(data))
    with reading(source):
        for opcode, argument, _ in pickletools.genops(data):
            machine.step(opcode.name, argument)
        (value,) = machine.pop(len(machine.stack))
        return value


class _Machine:
    """The stack machine of pickle protocols 2 to 4, cut down to plain values.

    Containers hold finished values only; a growing array lives on the stack and in the memo.
    """

    def __init__(self, source: str, size: int) -> None:
        self.source = source
        self.text_left = size  # a short pickle must not make long texts by repeating one
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _CONTAINERS:
            self.stack.append(_CONTAINERS[name]())
        elif name in _TUPLES:
            self.stack.append(tuple(self.pop(_TUPLES[name])))
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name == "MARK":
            self.stack.append(_MARK)
        elif name == "TUPLE":
            self.stack.append(tuple(self.pop_to_mark()))
        elif name in ("APPEND", "APPENDS"):
            items = self.pop(1) if name == "APPEND" else self.pop_to_mark()
            self.top(list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self.pop(2) if name == "SETITEM" else self.pop_to_mark()
            self.top(dict).update(zip(map(_text, items[::2]), items[1::2], strict=True))
        elif name == "GLOBAL":
            self.stack.append(self.name(argument))
        elif name == "STACK_GLOBAL":
            module, qualified = map(_text, self.pop(2))
            self.stack.append(self.name(f"{module} {qualified}"))
        elif name == "REDUCE":
            function, arguments = self.pop(2)
            self.stack.append(self.reduce(function, arguments))
        elif name == "BUILD":
            (state,) = self.pop(1)
            self.build(self.stack[-1], state)
        elif name not in _IGNORED:
            self.refuse(f"the instruction {name}")

    def top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise TypeError(f"expected a {kind.__name__} on the stack")
        return self.stack[-1]

    def pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise IndexError("the stack is empty")
        start = len(self.stack) - count
        items = [_finished(item) for item in self.stack[start:]]
        del self.stack[start:]
        return items

    def pop_to_mark(self) -> list[Any]:
        count = 0
        while self.stack[-1 - count] is not _MARK:
            count += 1
        items = self.pop(count)
        self.stack.pop()
        return items

    def name(self, name: str) -> _Name:
        return _NAMES[name] if name in _NAMES else self.refuse(name.replace(" ", "."))

    def reduce(self, function: Any, arguments: Any) -> Any:
        match function, arguments:
            case _Name.RECONSTRUCT, (_Name.NDARRAY, _, _):
                return _Array()
            case _Name.DTYPE, (str(code), _, _) if re.fullmatch("b1|[iu][1248]|f[248]", code):
                return _Type(code)
            case _Name.ENCODE, (str(text), "latin1"):
                self.text_left -= len(text)
                if self.text_left < 0:
                    self.refuse("more text than the file holds")
                return text.encode("latin1")
        self.refuse("a call other than that for an array of numbers")

    def build(self, target: Any, state: Any) -> None:
        match target, state:
            case _Type(), (int(), ("<" | ">" | "|" | "=") as order, None, None, None, *_):
                target.order = order
            case _Array(values=None), (int(), tuple(shape), np.dtype() as dtype, fortran, bytes(data)):
                if any(type(length) is not int or length < 0 for length in shape):
                    raise ValueError("an array has an impossible shape")
                if math.prod(shape) * dtype.itemsize != len(data):
                    raise ValueError(f"an array of shape {shape} of {dtype} comes with {len(data)} bytes")
                values = np.frombuffer(data, dtype) if data else np.empty(0, dtype)
                target.values = values.reshape(shape, order="F" if fortran else "C")
            case _:
                self.refuse("a state other than that of an array of numbers")

    def refuse(self, what: str) -> NoReturn:
        raise GlassError(
            f"asks for {what[:80]}, which data do not need; nothing was run",
            source=self.source,
            remedy="Only numpy arrays, dict, list, str, int and float are read; distrust this file",
        )


def _finished(item: Any) -> Any:
    if item is _MARK:
        raise ValueError("a mark stands where a value belongs")
    if isinstance(item, _Type):
        return np.dtype(item.order + item.code)
    if isinstance(item, _Array):
        if item.values is None:
            raise ValueError("an array has no contents")
        return item.values
    return item


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a key or name is not text")
    return value
