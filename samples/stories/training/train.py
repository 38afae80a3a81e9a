"""Trains a model of the pair on the prepared text by next-token prediction.

Reads the token vectors of build_tokenizer.py from --work; writes there NAME.pt (checkpoint, resumed when present)
and NAME-loss.csv. The schedule follows a wall-clock budget: warm-up, a constant rate, then a linear fall to zero.
"""

import argparse
import csv
import dataclasses
import os
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F

from model import SHAPES, Llama
from muon import make_optimizers

SEED = 20240501
BOS = 1


class Batches:
    """Rows of T + 1 tokens: packed whole stories in a fresh order each epoch, or windows of the books."""

    def __init__(self, work, seed):
        self.random = np.random.default_rng(seed)
        stories = np.load(work / "stories-train.npy")
        self.stories = np.split(stories, np.flatnonzero(stories == BOS)[1:])
        self.classics = np.load(work / "classics.npy")
        self.stream, self.position, self.epochs = np.empty(0, np.uint16), 0, 0

    def story_row(self, length):
        if self.position + length > len(self.stream):
            order = self.random.permutation(len(self.stories))
            rest = self.stream[self.position :]
            self.stream = np.concatenate([rest] + [self.stories[i] for i in order])
            self.position, self.epochs = 0, self.epochs + 1
        self.position += length
        return self.stream[self.position - length : self.position]

    def classics_row(self, length):
        start = self.random.integers(len(self.classics) - length)
        return self.classics[start : start + length]

    def next(self, batch_tokens, sequence_length, classics_share, device):
        """Inputs and next tokens, both [B, T]."""
        rows = [
            (self.classics_row if self.random.random() < classics_share else self.story_row)(sequence_length + 1)
            for _ in range(batch_tokens // sequence_length)
        ]
        tokens = torch.from_numpy(np.stack(rows).astype(np.int64)).to(device)
        return tokens[:, :-1], tokens[:, 1:]


def held_out_rows(work, sequence_length, count=None):
    """Consecutive rows [N, T + 1] of the packed held-out stories."""
    tokens = np.load(work / "held-out.npy").astype(np.int64)
    rows = len(tokens) // (sequence_length + 1)
    return torch.from_numpy(tokens[: rows * (sequence_length + 1)].reshape(rows, -1)[:count])


@torch.no_grad()
def held_out_loss(model, rows, device, batch=16):
    """Mean next-token cross-entropy in nats."""
    model.eval()
    losses = [
        F.cross_entropy(model(part[:, :-1]).flatten(0, 1).float(), part[:, 1:].flatten(), reduction="sum").item()
        for part in rows.to(device).split(batch)
    ]
    model.train()
    return sum(losses) / (rows.shape[0] * (rows.shape[1] - 1))


def learning_rate(fraction, peak, warm_up=0.01, decay=0.4):
    return peak * min(1.0, fraction / warm_up, (1.0 - fraction) / decay)


def classics_share(fraction, peak):
    """Constant for 40 % of the budget, then falling to zero at 80 %."""
    return peak * min(1.0, max(0.0, (0.8 - fraction) / 0.4))


def save_atomically(path, content):
    temporary = path.with_suffix(".tmp")
    torch.save(content, temporary)
    os.replace(temporary, path)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder with the token vectors")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="target", help="which model of the pair")
    parser.add_argument("--name", help="name of the checkpoint and of the loss curve (default: the shape)")
    parser.add_argument("--minutes", type=float, default=75, help="training budget, over all resumes")
    parser.add_argument("--lr", type=float, default=4e-3, help="peak learning rate")
    parser.add_argument("--optimizer", choices=("muon", "adamw"), default="muon")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--sequence-length", type=int, default=256, help="tokens a row for the first 70 %%, 512 after")
    parser.add_argument("--classics", type=float, default=0.4, help="share of book rows at the start")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    name = arguments.name or arguments.shape
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(SEED)
    model = Llama(dataclasses.replace(SHAPES[arguments.shape], dropout=arguments.dropout)).to(device)
    optimizers = make_optimizers(model, arguments.lr, arguments.optimizer == "muon", arguments.weight_decay)
    print(f"{name}: {model.parameter_count()} parameters, seed {SEED}, {device}, PyTorch {torch.__version__}")

    checkpoint_path, curve_path = arguments.work / f"{name}.pt", arguments.work / f"{name}-loss.csv"
    elapsed, step, tokens_seen = 0.0, 0, 0
    if checkpoint_path.exists():
        saved = torch.load(checkpoint_path, map_location=device)
        model.load_state_dict(saved["model"])
        for optimizer, state in zip(optimizers, saved["optimizers"]):
            optimizer.load_state_dict(state)
        elapsed, step, tokens_seen = saved["elapsed"], saved["step"], saved["tokens"]
        print(f"resumed at step {step}, {elapsed / 60:.1f} minutes")
    batches = Batches(arguments.work, SEED + step)
    rows = held_out_rows(arguments.work, arguments.sequence_length, 64)
    curve = open(curve_path, "a", newline="")
    writer = csv.writer(curve)
    if step == 0:
        writer.writerow(["step", "minutes", "tokens", "rate", "train_loss", "held_out_loss"])

    def save():
        save_atomically(checkpoint_path, {
            "config": dataclasses.asdict(dataclasses.replace(model.config, dropout=0.0)),
            "model": model.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "elapsed": elapsed, "step": step, "tokens": tokens_seen,
        })

    budget = 60 * arguments.minutes
    started, last_save, recent = time.monotonic() - elapsed, elapsed, []
    model.train()
    while elapsed < budget:
        fraction = elapsed / budget
        rate = learning_rate(max(fraction, 1e-5), arguments.lr)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        length = arguments.sequence_length if fraction < 0.7 else model.config.context_length
        share = classics_share(fraction, arguments.classics)
        inputs, targets = batches.next(arguments.batch_tokens, length, share, device)
        with torch.autocast(device, dtype=torch.bfloat16):
            logits = model(inputs)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step, tokens_seen = step + 1, tokens_seen + inputs.numel()
        recent.append(loss.item())
        elapsed = time.monotonic() - started
        if step % 20 == 0 or elapsed >= budget:
            held_out = held_out_loss(model, rows, device) if step % 200 == 0 or elapsed >= budget else None
            writer.writerow([
                step, f"{elapsed / 60:.2f}", tokens_seen, f"{rate:.6f}", f"{np.mean(recent):.4f}",
                "" if held_out is None else f"{held_out:.4f}",
            ])
            curve.flush()
            print(f"step {step} {elapsed / 60:.1f} min {tokens_seen / elapsed:.0f} tokens/s epoch {batches.epochs} "
                  f"rate {rate:.2e} loss {np.mean(recent):.4f}" + (f" held-out {held_out:.4f}" if held_out else ""),
                  flush=True)
            recent = []
        if elapsed - last_save > 300:
            save()
            last_save = elapsed
    save()
    final = held_out_loss(model, held_out_rows(arguments.work, 511), device)
    print(f"{name}: held-out loss {final:.4f}, perplexity {np.exp(final):.2f}")


if __name__ == "__main__":
    main()
