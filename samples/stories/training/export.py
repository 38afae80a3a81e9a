"""Writes a checkpoint as a GGUF version 3 file: matrices in Q8_0, norms in F32, with the vocabulary.

With --reference it also writes, as JSON, the greedy continuation of a prompt computed from the quantised weights,
to check another implementation against.
"""

import argparse
import json
import os
import pathlib
import struct

import numpy as np
import torch

import build_tokenizer
from model import generate, load_model

ALIGNMENT = 32
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
TENSOR_F32, TENSOR_Q8_0 = 0, 8
FILE_TYPE_Q8_0 = 7
TOKEN_NORMAL, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_BYTE = 1, 2, 3, 6

TENSOR_NAMES = {
    "embedding.weight": "token_embd.weight",
    "norm.weight": "output_norm.weight",
    "attention.q.weight": "attn_q.weight",
    "attention.k.weight": "attn_k.weight",
    "attention.v.weight": "attn_v.weight",
    "attention.output.weight": "attn_output.weight",
    "feed_forward.gate.weight": "ffn_gate.weight",
    "feed_forward.up.weight": "ffn_up.weight",
    "feed_forward.down.weight": "ffn_down.weight",
    "attention_norm.weight": "attn_norm.weight",
    "feed_forward_norm.weight": "ffn_norm.weight",
}


def tensor_name(name):
    if name.startswith("blocks."):
        _, index, rest = name.split(".", 2)
        return f"blk.{index}.{TENSOR_NAMES[rest]}"
    return TENSOR_NAMES[name]


def quantise(matrix):
    """Q8_0 blocks of 32 along the rows: matrix [m, n] -> scales float16 [m, n/32, 1], values int8 [m, n/32, 32]."""
    blocks = matrix.astype(np.float32).reshape(matrix.shape[0], -1, 32)
    scale = np.abs(blocks).max(-1, keepdims=True) / np.float32(127)
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = blocks * inverse
    values = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).astype(np.int8)
    return scale.astype(np.float16), values


def dequantise(scale, values):
    """The matrix [m, n] that a reader of the file computes."""
    return (scale.astype(np.float32) * values).reshape(values.shape[0], -1)


def block_bytes(scale, values):
    return np.concatenate((scale.view(np.int8), values), -1).tobytes()


def text(value):
    data = value.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def typed(kind, value):
    if kind == STRING:
        return text(value)
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + typed(kind, value)


def array(key, kind, values):
    head = text(key) + struct.pack("<IIQ", ARRAY, kind, len(values))
    return head + b"".join(typed(kind, value) for value in values)


def token_type(processor, token):
    if processor.is_unknown(token):
        return TOKEN_UNKNOWN
    if processor.is_control(token):
        return TOKEN_CONTROL
    return TOKEN_BYTE if processor.is_byte(token) else TOKEN_NORMAL


def metadata(config, processor, name):
    tokens = range(config.vocab_size)
    return [
        pair("general.architecture", STRING, "llama"),
        pair("general.name", STRING, name),
        pair("general.license", STRING, "apache-2.0"),
        pair("general.alignment", UINT32, ALIGNMENT),
        pair("general.file_type", UINT32, FILE_TYPE_Q8_0),
        pair("general.quantization_version", UINT32, 2),
        pair("llama.block_count", UINT32, config.block_count),
        pair("llama.context_length", UINT32, config.context_length),
        pair("llama.embedding_length", UINT32, config.embedding_length),
        pair("llama.feed_forward_length", UINT32, config.feed_forward_length),
        pair("llama.attention.head_count", UINT32, config.head_count),
        pair("llama.attention.head_count_kv", UINT32, config.head_count_kv),
        pair("llama.attention.layer_norm_rms_epsilon", FLOAT32, config.rms_epsilon),
        pair("llama.rope.dimension_count", UINT32, config.embedding_length // config.head_count),
        pair("llama.rope.freq_base", FLOAT32, config.rope_freq_base),
        pair("llama.vocab_size", UINT32, config.vocab_size),
        pair("tokenizer.ggml.model", STRING, "llama"),
        pair("tokenizer.ggml.pre", STRING, "default"),
        array("tokenizer.ggml.tokens", STRING, [processor.id_to_piece(t) for t in tokens]),
        array("tokenizer.ggml.scores", FLOAT32, [processor.get_score(t) for t in tokens]),
        array("tokenizer.ggml.token_type", INT32, [token_type(processor, t) for t in tokens]),
        pair("tokenizer.ggml.bos_token_id", UINT32, processor.bos_id()),
        pair("tokenizer.ggml.eos_token_id", UINT32, processor.eos_id()),
        pair("tokenizer.ggml.unknown_token_id", UINT32, processor.unk_id()),
        pair("tokenizer.ggml.add_bos_token", BOOL, True),
        pair("tokenizer.ggml.add_eos_token", BOOL, False),
        pair("tokenizer.ggml.add_space_prefix", BOOL, True),
    ]


def pad(data):
    return data + bytes(-len(data) % ALIGNMENT)


def round_trip(model):
    """Replaces the model's matrices by what a reader of its GGUF file computes."""
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.data = torch.from_numpy(dequantise(*quantise(parameter.detach().cpu().numpy())))
    return model


def gguf_bytes(model, processor, name):
    """The whole file."""
    infos, payload = [], b""
    for parameter_name, parameter in model.named_parameters():
        values = parameter.detach().cpu().numpy()
        if values.ndim == 2:
            kind, data = TENSOR_Q8_0, block_bytes(*quantise(values))
        else:
            kind, data = TENSOR_F32, values.astype("<f4").tobytes()
        dimensions = values.shape[::-1]
        infos.append(
            text(tensor_name(parameter_name)) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
            + struct.pack("<IQ", kind, len(payload))
        )
        payload += pad(data)
    pairs = metadata(model.config, processor, name)
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(infos), len(pairs))
    return pad(header + b"".join(pairs) + b"".join(infos)) + payload


def reference(model, processor, prompt, count):
    """The greedy continuation, with the five largest logits after the prompt."""
    tokens = [processor.bos_id()] + build_tokenizer.encode_text(processor, prompt)
    continued = generate(model, torch.tensor([tokens]), count)[0, len(tokens) :].tolist()
    with torch.no_grad():
        top = model(torch.tensor([tokens]))[0, -1].topk(5)
    return {
        "prompt": prompt, "prompt_tokens": tokens, "greedy_tokens": continued,
        "greedy_text": processor.decode(tokens[1:] + continued).strip(),
        "top_tokens_after_prompt": top.indices.tolist(), "top_logits_after_prompt": top.values.tolist(),
    }


def replace_file(path, data):
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder with tokenizer.model")
    parser.add_argument("--checkpoint", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="GGUF file to write")
    parser.add_argument("--name", required=True, help="general.name of the file")
    parser.add_argument("--reference", type=pathlib.Path, help="JSON file for the greedy continuation of --prompt")
    parser.add_argument("--prompt", default="Once upon a time, there was a little girl named Lily.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(arguments.checkpoint)
    processor = build_tokenizer.load(arguments.work)
    data = gguf_bytes(model, processor, arguments.name)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(arguments.out, data)
    print(f"{arguments.out.name}: {model.parameter_count()} parameters, {len(data)} bytes")
    if arguments.reference:
        result = reference(round_trip(model), processor, arguments.prompt, 64)
        replace_file(arguments.reference, json.dumps(result, indent=1).encode())
        print(result["greedy_text"])


if __name__ == "__main__":
    main()
