"""Measures the pair as shipped, that is with the matrices rounded to Q8_0.

Prints the held-out loss and perplexity of both models, and the mean accepted length of greedy speculative decoding:
tokens emitted per pass of the target, its own token included, over continuations of held-out story beginnings.
"""

import argparse
import math
import pathlib

import numpy as np
import torch

import build_tokenizer
from export import round_trip
from model import generate, load_model
from train import BOS, held_out_loss, held_out_rows

EOS = 2


def held_out_prompts(work, length):
    """The first `length` tokens, BOS included, of each held-out story that is longer: [N, length]."""
    tokens = np.load(work / "held-out.npy").astype(np.int64)
    stories = np.split(tokens, np.flatnonzero(tokens == BOS)[1:])
    return torch.from_numpy(np.stack([story[:length] for story in stories if len(story) > length]))


@torch.no_grad()
def draft_agreement(draft, continued, prompt_length):
    """Per story, whether the draft's greedy choice equals each token of the target's continuation, up to EOS.

    A proposal counts only while all before it were right, so the draft always continues the target's own text and
    one pass over that text [N, T] gives every proposal.
    """
    chosen = draft(continued[:, :-1])[:, prompt_length - 1 :].argmax(-1)
    expected = continued[:, prompt_length:]
    agreement = []
    for row, tokens in zip((chosen == expected).tolist(), expected.tolist()):
        agreement.append(row[: tokens.index(EOS) + 1 if EOS in tokens else len(row)])
    return agreement


def mean_accepted_length(agreement, k):
    """Tokens emitted per target pass when the draft proposes k tokens at each step."""
    tokens, passes = 0, 0
    for row in agreement:
        position = 0
        while position < len(row):
            accepted = 0
            while accepted < k and position + accepted < len(row) and row[position + accepted]:
                accepted += 1
            position += accepted + 1
            passes += 1
        tokens += len(row)
    return tokens / passes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder with the token vectors")
    parser.add_argument("--target", type=pathlib.Path, required=True, help="checkpoint of the target")
    parser.add_argument("--draft", type=pathlib.Path, help="checkpoint of the draft")
    parser.add_argument("--prompt-tokens", type=int, default=24)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--samples", type=int, default=2, help="continuations to print")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    target = round_trip(load_model(arguments.target))
    models = {"target": target}
    if arguments.draft:
        models["draft"] = round_trip(load_model(arguments.draft))
    rows = held_out_rows(arguments.work, target.config.context_length - 1)
    for name, model in models.items():
        loss = held_out_loss(model, rows, "cpu")
        model.eval()
        print(f"{name}: {model.parameter_count()} parameters, "
              f"held-out loss {loss:.4f}, perplexity {math.exp(loss):.2f}")

    prompts = held_out_prompts(arguments.work, arguments.prompt_tokens)
    continued = torch.cat([generate(target, part, arguments.new_tokens) for part in prompts.split(64)])
    if arguments.draft:
        agreement = draft_agreement(models["draft"], continued, arguments.prompt_tokens)
        share = np.mean([value for row in agreement for value in row])
        print(f"{len(prompts)} prompts, {sum(map(len, agreement))} tokens, draft agrees on {share:.1%}")
        for k in (2, 3, 4, 5, 6, 8):
            print(f"k={k}: mean accepted length {mean_accepted_length(agreement, k):.3f}")
    processor = build_tokenizer.load(arguments.work)
    for tokens in continued[: arguments.samples].tolist():
        end = tokens.index(EOS) if EOS in tokens else len(tokens)
        print("---\n" + processor.decode(tokens[1:end]).strip())


if __name__ == "__main__":
    main()
