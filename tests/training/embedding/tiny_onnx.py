"""A tiny ONNX graph written byte by byte: the mean of [B, T, 80] over time, times a matrix. No ONNX library is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FLOAT, INT64 = 1, 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _piece(field: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _value(name: str, shape: Sequence[int | str], kind: int = FLOAT) -> bytes:
    dims = b"".join(
        _piece(1, _number(1, size) if isinstance(size, int) else _piece(2, size)) for size in shape
    )
    tensor = _number(1, kind) + _piece(2, dims)
    return _piece(1, name) + _piece(2, _piece(1, tensor))


def _node(operator: str, inputs: Sequence[str], outputs: Sequence[str], attributes: bytes = b"") -> bytes:
    told = b"".join(_piece(1, name) for name in inputs) + b"".join(_piece(2, name) for name in outputs)
    return told + _piece(4, operator) + attributes


def _tensor(name: str, array: NDArray[np.float32], file: str | None) -> bytes:
    dims = b"".join(_number(1, size) for size in array.shape)
    head = dims + _number(2, FLOAT) + _piece(8, name)
    if file is None:
        return head + _piece(9, array.astype("<f4").tobytes())
    location = _piece(13, _piece(1, "location") + _piece(2, file))
    return head + location + _number(14, 1)


def tiny_model(
    matrix: NDArray[np.float32],
    *,
    input_shape: Sequence[int | str] = ("B", "T", 80),
    output_shape: Sequence[int | str] | None = None,
    input_kind: int = FLOAT,
    external: str | None = None,
    external_default: str | None = None,
) -> bytes:
    """The graph: ``output = mean(feats, axis=1) @ matrix``.

    Parameters
    ----------
    matrix : float32 [80, d]
    external : the matrix is said to lie in this file
    external_default : a function has an attribute whose default is said to lie in this file
    """
    shape = ("B", matrix.shape[1]) if output_shape is None else output_shape
    keep = _piece(5, _piece(1, "keepdims") + _number(3, 0) + _number(20, 2))
    axes = _piece(5, _piece(1, "axes") + _piece(8, _varint(1)) + _number(20, 7))
    source, cast = "feats", b""
    if input_kind != FLOAT:
        to = _piece(5, _piece(1, "to") + _number(3, FLOAT) + _number(20, 2))
        source, cast = "real", _piece(1, _node("Cast", ["feats"], ["real"], to))
    graph = (
        cast
        + _piece(1, _node("ReduceMean", [source], ["mean"], axes + keep))
        + _piece(1, _node("MatMul", ["mean", "weights"], ["embs"]))
        + _piece(2, "tiny")
        + _piece(5, _tensor("weights", matrix, external))
        + _piece(11, _value("feats", input_shape, input_kind))
        + _piece(12, _value("embs", shape))
    )
    function = b""
    if external_default is not None:
        attribute = (
            _piece(1, "value") + _piece(5, _tensor("default", matrix, external_default)) + _number(20, 4)
        )
        function = _piece(25, _piece(1, "unused") + _piece(11, attribute) + _piece(10, "own"))
    return _number(1, 8) + _piece(7, graph) + _piece(8, _number(2, 13)) + function
