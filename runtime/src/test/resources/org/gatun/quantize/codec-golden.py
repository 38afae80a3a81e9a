"""Writes codec-golden.bin with the `gguf` Python package (0.17 or newer) and NumPy: python codec-golden.py

A sequence of records: type name padded to 8 bytes, int32 elements, the elements as f32, int32 bytes, the bytes; all
little-endian. In "decode" records (name lower case) the bytes are random and the elements are what they decode to; in
"encode" records (upper case) the elements are random and the bytes are what they encode to.
"""
import pathlib
import struct

import numpy
from gguf import GGMLQuantizationType as Type
from gguf import quants

random = numpy.random.default_rng(20261120)


def record(name, elements, data):
    return (name.encode().ljust(8) + struct.pack("<i", elements.size) + elements.astype("<f4").tobytes()
            + struct.pack("<i", data.size) + data.tobytes())


HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "BF16": []}
out = b""
for name, halves in HALVES.items():
    elements, size = quants.GGML_QUANT_SIZES[Type[name]]
    blocks = 64 if elements == 1 else 4
    data = random.integers(0, 256, (blocks, size), dtype=numpy.uint8)
    if elements == 1:
        data[:, 1] = data[:, 1] % 127
    for at in halves:
        data[:, at:at + 2] = random.normal(0, 0.1, blocks).astype("<f2").view(numpy.uint8).reshape(blocks, 2)
    out += record(name.lower(), quants.dequantize(data, Type[name]).reshape(-1), data.reshape(-1))
    if not name.endswith("_K"):
        source = random.normal(0, 1, (4, 64)).astype("<f4") * numpy.array([[1], [1e-3], [50], [1]], dtype="<f4")
        source[3] = 0
        out += record(name, source.reshape(-1), quants.quantize(source, Type[name]).view(numpy.uint8).reshape(-1))
pathlib.Path(__file__).with_name("codec-golden.bin").write_bytes(out)
