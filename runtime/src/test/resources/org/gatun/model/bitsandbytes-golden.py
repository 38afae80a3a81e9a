"""Writes bitsandbytes-golden.safetensors with bitsandbytes (0.50 or newer) and PyTorch, on a CPU: python bitsandbytes-golden.py

Weights as a module's state_dict has them, under the name of the case. Beside them: CASE.original, what was quantized; CASE.decoded, what
bitsandbytes makes of it; and for LLM.int8 CASE.rows, inputs, each multiplied alone with threshold 6, and CASE.products.
"""
import json
import pathlib
import struct

import bitsandbytes
import torch
from bitsandbytes import functional

torch.manual_seed(20261121)
ROWS, COLUMNS = 4, 256
TYPES = {torch.float32: "F32", torch.float16: "F16", torch.uint8: "U8", torch.int8: "I8"}
tensors = {}


def numbers(rows, deviation=1.0):
    weight = torch.randn(rows, COLUMNS) * deviation
    weight[0, :128] *= 1e-3
    weight[1, 5] = 40 * deviation
    weight[2, :64] = 0
    return weight


def four_bits(case, kind, nested):
    weight = numbers(ROWS, 0.1)
    module = bitsandbytes.nn.Linear4bit(COLUMNS, ROWS, bias=False, quant_type=kind, compress_statistics=nested)
    module.weight = bitsandbytes.nn.Params4bit(weight.clone(), requires_grad=False, quant_type=kind, compress_statistics=nested)
    module = module.to("cpu")
    tensors[case + ".original"] = weight
    tensors[case + ".decoded"] = functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
    tensors.update({case + "." + name: tensor for name, tensor in module.state_dict().items()})


def eight_bits(case):
    weight = numbers(ROWS, 0.1)
    module = bitsandbytes.nn.Linear8bitLt(COLUMNS, ROWS, bias=False, has_fp16_weights=False, threshold=6.0)
    module.weight = bitsandbytes.nn.Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
    module = module.to("cpu").eval()  # in training it multiplies by decoded weights on a CPU
    stored = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    rows = torch.randn(6, COLUMNS).half()
    rows[3:, [7, 100]] *= 20
    rows[5] = 0
    rows[5, 9] = 30
    tensors[case + ".original"] = weight
    tensors[case + ".decoded"] = stored["weight"].float() * stored["SCB"][:, None] / 127
    tensors[case + ".rows"] = rows
    tensors[case + ".products"] = torch.cat([module(row[None]) for row in rows])
    tensors.update({case + "." + name: tensor for name, tensor in stored.items()})


four_bits("nf4", "nf4", False)
four_bits("nf4_nested", "nf4", True)
four_bits("fp4", "fp4", False)
four_bits("fp4_nested", "fp4", True)
eight_bits("int8")

header, data = {}, b""
for name, tensor in tensors.items():
    content = tensor.detach().contiguous().numpy().tobytes()
    header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(content)]}
    data += content
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
pathlib.Path(__file__).with_suffix(".safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
