"""Trains the SentencePiece BPE vocabulary and encodes the prepared text.

Reads the three text files of prepare.py from --work; writes there ``tokenizer.model`` and, per text file,
``NAME.npy``: one uint16 vector in which each document is BOS, its tokens, EOS.
"""

import argparse
import pathlib
import random

import numpy as np
import sentencepiece

from prepare import SEPARATOR

SEED = 20240501
CLASSICS_SAMPLE_BYTES = 500_000


def read_documents(path):
    return [d.strip("\n") for d in path.read_text(encoding="ascii").split(SEPARATOR) if d.strip()]


def load(work):
    return sentencepiece.SentencePieceProcessor(model_file=str(work / "tokenizer.model"))


def encode_text(processor, text):
    """Token ids of one text, without BOS. The leading space is the "dummy prefix" of the Llama vocabulary:
    the model file leaves it to the caller, so that only the first line of a document has it."""
    return processor.encode(" " + text)


def train(work, vocab_size):
    """Trains on all stories and a small sample of the books, line by line, so that a newline is a byte piece."""
    stories = (" " + story for story in read_documents(work / "stories-train.txt"))
    lines = "\n".join(stories).split("\n")
    book_lines = "\n".join(read_documents(work / "classics.txt")).split("\n")
    random.Random(SEED).shuffle(book_lines)
    taken = 0
    for line in book_lines:
        taken += len(line)
        if taken > CLASSICS_SAMPLE_BYTES:
            break
        lines.append(line)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(work / "tokenizer"), model_type="bpe",
        vocab_size=vocab_size, byte_fallback=True, character_coverage=1.0, split_digits=True,
        normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, max_sentence_length=65536, num_threads=2,
        minloglevel=1,
    )


def encode(processor, documents):
    tokens = []
    for document in documents:
        tokens.append(processor.bos_id())
        tokens.extend(encode_text(processor, document))
        tokens.append(processor.eos_id())
    return np.array(tokens, dtype=np.uint16)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder with the prepared text")
    parser.add_argument("--vocab-size", type=int, default=2048)
    arguments = parser.parse_args()
    print(f"seed {SEED}")
    train(arguments.work, arguments.vocab_size)
    processor = load(arguments.work)
    for name in ("stories-train", "held-out", "classics"):
        documents = read_documents(arguments.work / f"{name}.txt")
        tokens = encode(processor, documents)
        np.save(arguments.work / f"{name}.npy", tokens)
        print(f"{name}: {len(tokens)} tokens, {sum(map(len, documents)) / len(tokens):.2f} characters a token")


if __name__ == "__main__":
    main()
