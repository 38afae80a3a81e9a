"""Trains the draft to predict what the target predicts.

First the target continues beginnings of training stories, half of them greedily and half at a temperature between
0 and 1; the rows are kept in --work as samples.npy. Then the draft learns the target's distributions on a mix of those
rows and of the training text. Writes NAME.pt and NAME-loss.csv to --work.
"""

import argparse
import csv
import dataclasses
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F

from evaluate import EOS, draft_agreement, held_out_prompts, mean_accepted_length
from model import SHAPES, Llama, generate, load_model
from muon import make_optimizers
from train import SEED, Batches, learning_rate, save_atomically


def sample_rows(target, stories, minutes, batch, length, device):
    """Continuations [N, length] of story beginnings of 4 to 40 tokens, as many as the time allows."""
    random = np.random.default_rng(SEED)
    started, batches = time.monotonic(), []
    while time.monotonic() - started < 60 * minutes:
        prompt_length = int(random.integers(4, 41))
        long_enough = [story for story in stories if len(story) > prompt_length]
        chosen = random.choice(len(long_enough), batch, replace=False)
        prompts = np.stack([long_enough[i][:prompt_length] for i in chosen]).astype(np.int64)
        temperature = torch.rand(batch, device=device) * (torch.arange(batch, device=device) % 2)
        tokens = generate(
            target, torch.from_numpy(prompts).to(device), length - prompt_length, temperature, autocast=True
        )
        batches.append(tokens.cpu().numpy().astype(np.uint16))
        done = time.monotonic() - started
        print(f"{len(batches) * batch} samples, {len(batches) * batch * length / done:.0f} tokens/s", flush=True)
    return np.concatenate(batches)


def distillation_loss(logits, target_logits, hard):
    """Cross-entropy to the target's distribution plus `hard` times that to its most likely token, per position [B * T].

    logits, target_logits [B, T, V].
    """
    log_probabilities = logits.flatten(0, 1).float().log_softmax(-1)
    expected = target_logits.flatten(0, 1).float()
    soft = -(expected.softmax(-1) * log_probabilities).sum(-1)
    greedy = F.nll_loss(log_probabilities, expected.argmax(-1), reduction="none")
    return soft + hard * greedy


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder with the token vectors")
    parser.add_argument("--target", type=pathlib.Path, required=True, help="checkpoint of the target")
    parser.add_argument("--name", default="draft", help="name of the checkpoint and of the loss curve")
    parser.add_argument("--sample-minutes", type=float, default=6, help="time to write samples, if there are none yet")
    parser.add_argument("--minutes", type=float, default=14, help="training budget")
    parser.add_argument("--lr", type=float, default=6e-3, help="peak learning rate")
    parser.add_argument("--samples-share", type=float, default=0.7, help="share of the target's samples in a batch")
    parser.add_argument("--hard", type=float, default=0.5, help="weight of the target's most likely token")
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--sequence-length", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(SEED)
    target = load_model(arguments.target, device)
    batches = Batches(arguments.work, SEED)
    length = arguments.sequence_length
    samples_path = arguments.work / "samples.npy"
    if not samples_path.exists():
        np.save(samples_path, sample_rows(target, batches.stories, arguments.sample_minutes, 256, length + 1, device))
    samples = np.load(samples_path)

    draft = Llama(SHAPES["draft"]).to(device)
    optimizers = make_optimizers(draft, arguments.lr)
    print(f"{draft.parameter_count()} parameters, {len(samples)} samples, seed {SEED}, {device}")
    prompts = held_out_prompts(arguments.work, 24).to(device)[:64]
    continued = generate(target, prompts, 128)

    def measure():
        draft.eval()
        accepted = mean_accepted_length(draft_agreement(draft, continued, prompts.shape[1]), 4)
        draft.train()
        return accepted

    random = np.random.default_rng(SEED)
    rows = arguments.batch_tokens // length
    sampled_rows = round(rows * arguments.samples_share)
    order, position = random.permutation(len(samples)), 0
    curve = open(arguments.work / f"{arguments.name}-loss.csv", "w", newline="")
    writer = csv.writer(curve)
    writer.writerow(["step", "minutes", "tokens", "rate", "train_loss", "mean_accepted_length"])
    started, step, elapsed, recent = time.monotonic(), 0, 0.0, []
    while elapsed < 60 * arguments.minutes:
        rate = learning_rate(max(elapsed / (60 * arguments.minutes), 1e-5), arguments.lr)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        if position + sampled_rows > len(order):
            order, position = random.permutation(len(samples)), 0
        sampled = torch.from_numpy(samples[order[position : position + sampled_rows], :-1].astype(np.int64)).to(device)
        position += sampled_rows
        text, _ = batches.next((rows - sampled_rows) * length, length, 0.0, device)
        with torch.autocast(device, dtype=torch.bfloat16):
            with torch.no_grad():
                expected = [target(sampled), target(text)]
            predicted = [draft(sampled), draft(text)]
        before_end = ((sampled == EOS).cumsum(1) == 0).flatten()
        loss = torch.cat((
            distillation_loss(predicted[0], expected[0], arguments.hard)[before_end],
            distillation_loss(predicted[1], expected[1], arguments.hard),
        )).mean()
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(draft.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step, elapsed = step + 1, time.monotonic() - started
        recent.append(loss.item())
        if step % 20 == 0 or elapsed >= 60 * arguments.minutes:
            last = step % 200 == 0 or elapsed >= 60 * arguments.minutes
            accepted = f"{measure():.3f}" if last else ""
            mean = np.mean(recent)
            writer.writerow([step, f"{elapsed / 60:.2f}", step * rows * length, f"{rate:.6f}", f"{mean:.4f}", accepted])
            curve.flush()
            print(f"step {step} {elapsed / 60:.1f} min {step * rows * length / elapsed:.0f} tokens/s rate {rate:.2e} "
                  f"loss {mean:.4f} accepted {accepted}", flush=True)
            recent = []
    save_atomically(arguments.work / f"{arguments.name}.pt", {
        "config": dataclasses.asdict(draft.config), "model": draft.state_dict(),
    })


if __name__ == "__main__":
    main()
