"""A Llama-architecture language model, small enough to train on two CPU cores.

Shape letters in this folder: B batch, T positions of this call, S cached plus new positions, D model width,
H query heads, K key/value heads, G = H / K, C = D / H head width, V vocabulary.
"""

import dataclasses
import functools
import math

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass
class Config:
    vocab_size: int = 2048
    context_length: int = 512
    embedding_length: int = 256
    block_count: int = 7
    head_count: int = 8
    head_count_kv: int = 4
    feed_forward_length: int = 704
    rms_epsilon: float = 1e-5
    rope_freq_base: float = 10000.0
    dropout: float = 0.0


SHAPES = {
    "target": Config(),
    "draft": Config(embedding_length=128, block_count=2, head_count=4, head_count_kv=2, feed_forward_length=288),
}


class RmsNorm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * self.weight


def rope_table(config):
    """Complex rotations [context, C/2]: pair i of a head turns by position * base^(-2i/C)."""
    width = config.embedding_length // config.head_count
    frequency = config.rope_freq_base ** (-torch.arange(0, width, 2).double() / width)
    angle = torch.outer(torch.arange(config.context_length).double(), frequency)
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def rotate(x, rotation):
    """Rotary embedding on interleaved pairs (x[2i], x[2i+1]), the Meta and GGUF "llama" convention.

    x [B, T, heads, C], rotation [T, C/2].
    """
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * rotation[:, None, :]).flatten(-2).type_as(x)


class Cache:
    """The keys and values of earlier positions, [blocks, B, K, length, C] each."""

    def __init__(self, config, batch, length, device, dtype=torch.float32):
        width = config.embedding_length // config.head_count
        shape = (config.block_count, batch, config.head_count_kv, length, width)
        self.k = torch.empty(shape, device=device, dtype=dtype)
        self.v = torch.empty(shape, device=device, dtype=dtype)
        self.position = 0

    def extend(self, block, k, v):
        """Stores k, v [B, K, T, C] of one block at the current position; returns all S positions of it."""
        end = self.position + k.shape[2]
        self.k[block, :, :, self.position : end] = k
        self.v[block, :, :, self.position : end] = v
        return self.k[block, :, :, :end], self.v[block, :, :, :end]


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.heads_kv = config.head_count, config.head_count_kv
        self.width = config.embedding_length // config.head_count
        d, kv = config.embedding_length, config.head_count_kv * self.width
        self.q = nn.Linear(d, d, bias=False)
        self.k = nn.Linear(d, kv, bias=False)
        self.v = nn.Linear(d, kv, bias=False)
        self.output = nn.Linear(d, d, bias=False)

    def forward(self, x, rotation, mask, extend):
        """x [B, T, D], mask [G*T, S] additive. Query head h reads key/value head h // G.

        extend: takes this call's k, v [B, K, T, C] and returns those of all S positions.
        """
        b, t, _ = x.shape
        group = self.heads // self.heads_kv
        q = rotate(self.q(x).view(b, t, self.heads, self.width), rotation)
        k = rotate(self.k(x).view(b, t, self.heads_kv, self.width), rotation).transpose(1, 2)
        v = self.v(x).view(b, t, self.heads_kv, self.width).transpose(1, 2)
        if extend is not None:
            k, v = extend(k, v)
        s = k.shape[2]
        q = q.transpose(1, 2).reshape(b * self.heads_kv, group * t, self.width)
        k, v = k.reshape(-1, s, self.width), v.reshape(-1, s, self.width)
        scores = torch.baddbmm(mask.type_as(q), q, k.transpose(1, 2), alpha=1.0 / math.sqrt(self.width))
        mixed = torch.bmm(scores.softmax(-1).type_as(v), v)
        return self.output(mixed.view(b, self.heads, t, self.width).transpose(1, 2).reshape(b, t, -1))


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        d, f = config.embedding_length, config.feed_forward_length
        self.gate = nn.Linear(d, f, bias=False)
        self.up = nn.Linear(d, f, bias=False)
        self.down = nn.Linear(f, d, bias=False)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention_norm = RmsNorm(config.embedding_length, config.rms_epsilon)
        self.attention = Attention(config)
        self.feed_forward_norm = RmsNorm(config.embedding_length, config.rms_epsilon)
        self.feed_forward = FeedForward(config)
        self.dropout = config.dropout

    def drop(self, x):
        """Variational dropout: one mask [B, 1, D] for all positions of a row (Gal and Ghahramani, 2016)."""
        if not self.training or self.dropout == 0:
            return x
        keep = 1 - self.dropout
        mask = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) < keep
        return x * (mask / keep).type_as(x)

    def forward(self, x, rotation, mask, extend):
        x = x + self.drop(self.attention(self.attention_norm(x), rotation, mask, extend))
        return x + self.drop(self.feed_forward(self.feed_forward_norm(x)))


class Llama(nn.Module):
    """Token ids in, logits out; the embedding matrix is also the output matrix."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_length)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.block_count))
        self.norm = RmsNorm(config.embedding_length, config.rms_epsilon)
        self.register_buffer("rotation", rope_table(config), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                residual = name.endswith(("output.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * config.block_count) if residual else 0.02)

    def forward(self, tokens, cache=None):
        """tokens [B, T] -> logits [B, T, V]; with a cache the tokens follow the cached ones."""
        t = tokens.shape[1]
        start = cache.position if cache else 0
        rotation = self.rotation[start : start + t]
        mask = torch.full((t, start + t), float("-inf"), device=tokens.device).triu(start + 1)
        mask = mask.repeat(self.config.head_count // self.config.head_count_kv, 1)
        x = self.embedding(tokens)
        for index, block in enumerate(self.blocks):
            x = block(x, rotation, mask, functools.partial(cache.extend, index) if cache else None)
        if cache:
            cache.position += t
        return F.linear(self.norm(x), self.embedding.weight)

    def parameter_count(self):
        return sum(parameter.numel() for parameter in self.parameters())


def load_model(path, device="cpu"):
    """The model of a checkpoint written by train.py or distil.py, in evaluation mode."""
    checkpoint = torch.load(path, map_location=device)
    model = Llama(Config(**checkpoint["config"])).to(device)
    model.load_state_dict(checkpoint["model"])
    return model.eval()


@torch.no_grad()
def generate(model, prompts, count, temperature=0.0, autocast=False):
    """prompts [B, T] -> prompts with `count` sampled tokens [B, T + count].

    temperature: a number, or one per row [B]; 0 takes the most likely token. autocast: compute in bfloat16.
    """
    temperature = torch.as_tensor(temperature, dtype=torch.float32, device=prompts.device).expand(len(prompts))
    dtype = torch.bfloat16 if autocast else torch.float32
    cache = Cache(model.config, len(prompts), prompts.shape[1] + count, prompts.device, dtype)
    tokens, new = [prompts], prompts
    for _ in range(count):
        with torch.autocast(prompts.device.type, dtype=torch.bfloat16, enabled=autocast):
            logits = model(new, cache)[:, -1].float()
        sampled = torch.multinomial((logits / temperature.clamp(min=1e-3)[:, None]).softmax(-1), 1)
        new = torch.where(temperature[:, None] > 0, sampled, logits.argmax(-1, keepdim=True))
        tokens.append(new)
    return torch.cat(tokens, 1)
