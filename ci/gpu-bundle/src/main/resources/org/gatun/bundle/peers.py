"""Measures PyTorch and bitsandbytes, as far as they are installed, at the shapes of the kernels' measurements.

Prints a JSON object a line. Argument: the most seconds to take.
"""
import json
import statistics
import sys
import time

PRODUCTS = [
    ("8B qkv", 6144, 4096), ("8B o", 4096, 4096), ("8B gate+up", 28672, 4096), ("8B down", 4096, 14336), ("8B head", 128256, 4096),
    ("70B qkv", 10240, 8192), ("70B o", 8192, 8192), ("70B gate+up", 57344, 8192), ("70B down", 8192, 28672),
]
ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 2048, 8192]
END = time.monotonic() + float(sys.argv[1]) if len(sys.argv) > 1 else float("inf")

try:
    import torch
except ImportError:
    sys.exit("python3 has no torch")
if not torch.cuda.is_available():
    sys.exit("torch sees no device")

L2 = torch.cuda.get_device_properties(0).L2_cache_size


def micros(works, repeats=20):
    """The median time of a work; the works are alike and take turns."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for work in works[:3]:
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for work in works:
            work()
    graph.replay()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(1e3 * start.elapsed_time(end) / len(works))
    return statistics.median(times)


def report(peer, shape, rows, median, bytes_moved, operations):
    print(json.dumps({"peer": peer, "shape": shape, "rows": rows, "median_us": median, "bytes": bytes_moved,
                      "operations": operations, "tflops": operations / median / 1e6}), flush=True)


def random(*shape):
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)


def products():
    for name, outputs, inputs in PRODUCTS:
        sets = max(1, min(16, 4 * L2 // (2 * outputs * inputs) + 1))
        weights = [random(outputs, inputs) for _ in range(sets)]
        for rows in ROWS:
            if time.monotonic() > END or (rows > 256 and (name.startswith("70B") or name == "8B head")):
                break
            xs = [random(rows, inputs) for _ in range(sets)]
            works = [lambda x=x, w=w: torch.nn.functional.linear(x, w) for x, w in zip(xs, weights)] * max(1, 16 // sets)
            report("torch linear bf16", name, rows, micros(works), 2 * (outputs * inputs + rows * (inputs + outputs)),
                   2.0 * rows * outputs * inputs)


def attention():
    for committed in (1000, 8000, 32000):
        for rows in (1, 4, 16, 64):
            if time.monotonic() > END:
                return
            sets = max(1, min(16, 4 * L2 // (4 * committed * 8 * 128) + 1))
            q, k, v = ([random(1, heads, length, 128) for _ in range(sets)]
                       for heads, length in ((32, rows), (8, committed + rows), (8, committed + rows)))
            works = [lambda q=q, k=k, v=v: torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
                     for q, k, v in zip(q, k, v)]
            report("torch SDPA bf16, no mask", f"chain after {committed}", rows, micros(works), 4 * (committed + rows) * 8 * 128,
                   4.0 * rows * (committed + rows) * 32 * 128)


def four_bits():
    try:
        import bitsandbytes.functional as bnb
    except ImportError:
        print("bitsandbytes is not installed", file=sys.stderr)
        return
    for name, outputs, inputs in PRODUCTS:
        if time.monotonic() > END:
            return
        packed, state = bnb.quantize_4bit(random(outputs, inputs), quant_type="nf4")
        for rows in (1, 16):
            x = random(rows, inputs)
            if rows == 1:
                work = lambda: bnb.gemv_4bit(x, packed.t(), state=state)
            else:
                work = lambda: torch.nn.functional.linear(x, bnb.dequantize_4bit(packed, state))
            report("bitsandbytes nf4", name, rows, micros([work] * 8), outputs * inputs // 2, 2.0 * rows * outputs * inputs)


for part in (products, attention, four_bits):
    try:
        part()
    except Exception as error:  # a peer that fails must not end the run
        print(f"{part.__name__}: {error}", file=sys.stderr)
