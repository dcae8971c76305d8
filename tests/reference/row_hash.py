"""The plain twin of `motifdb.kernels.row_hash`: one row at a time, Python's own integers."""

from __future__ import annotations

MASK = (1 << 64) - 1


def ref_stir(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def ref_mix(state: tuple[int, int], value: bytes | None, seed: int) -> tuple[int, int]:
    step_a, step_b = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
    a, b = ref_stir(state[0] ^ seed), ref_stir((state[1] + seed) & MASK)
    if value is None:
        length = MASK
    else:
        length = len(value)
        for at in range(0, len(value), 8):
            word = int.from_bytes(value[at : at + 8], "little")
            a = ref_stir(((a ^ word) + step_a) & MASK)
            b = ref_stir(((b + word) & MASK) ^ step_b)
    return ref_stir(((a ^ length) + step_b) & MASK), ref_stir(((b + length) & MASK) ^ step_a)
