"""Turns the raw corpora into three clean text files.

Reads, from --data:
  tinystories/*.txt.xz                        short stories (three overlapping portions)
  text-classics/childrens-classics.txt.xz     public-domain books

Writes, to --out (ASCII only, documents separated by a line ``<|endoftext|>``):
  stories-train.txt   stories to train on
  held-out.txt        every 20th story of each portion, never trained on
  classics.txt        the books
"""

import argparse
import collections
import lzma
import pathlib
import re
import unicodedata

SEPARATOR = "<|endoftext|>"
HELD_OUT_EVERY = 20

# UTF-8 that was read as Windows-1252 (and, in the lower-case portion, then lower-cased).
MOJIBAKE = [
    ("\u00e2\u20ac\u2122", "'"), ("\u00e2\u20ac\u02dc", "'"),
    ("\u00e2\u20ac\u0153", '"'), ("\u00e2\u20ac\u009d", '"'),
    ("\u00e2\u20ac\u201c", "-"), ("\u00e2\u20ac\u201d", " - "),
    ("\u00e2\u20ac\u00a6", "..."), ("\u00e2\u20ac", '"'),
]
TYPOGRAPHY = [
    ("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"'),
    ("\u2013", "-"), ("\u2014", " - "), ("\u2026", "..."), ("\u00a0", " "),
    ("\u200b", ""), ("\u2060", ""), ("``", '"'), ("''", '"'),
]
SPEECH_VERBS = (
    "said|asked|replied|answered|cried|shouted|yelled|called|whispered|exclaimed|"
    "laughed|smiled|screamed|thought|told|says|giggled|begged|explained|added|sang|squeaked"
)


def read_documents(path):
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return [document.strip() for document in file.read().split(SEPARATOR) if document.strip()]


def to_ascii(text):
    """Repairs mojibake and replaces typographic characters; what it cannot map stays as it is."""
    for old, new in MOJIBAKE + TYPOGRAPHY:
        text = text.replace(old, new)
    decomposed = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in decomposed if not unicodedata.combining(c))
    lines = (re.sub(r"\s+", " ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def is_sound(story):
    return (
        story.isascii()
        and len(story) >= 150
        and not re.search(r"[<>{}|\\^~@#$%*_=\[\]]", story)
        and story[-1] in ".!?\"'"
    )


def learn_proper_nouns(stories):
    """Words that the cased stories nearly always capitalise in the middle of a sentence."""
    capitalised, lower = collections.Counter(), collections.Counter()
    for story in stories:
        for match in re.finditer(r"(?<=[a-z,;] )[A-Za-z]+", story):
            word = match.group()
            (capitalised if word[0].isupper() else lower)[word.lower()] += 1
    return {
        word for word, count in capitalised.items()
        if count >= 2 and count >= 9 * lower[word] and len(word) > 1
    }


def true_case(story, proper_nouns):
    """Restores capitals in a lower-case story: names, "I", starts of sentences and of quotations."""
    named_here = set(re.findall(r"\b(?:named|name is|name was) ([a-z]{3,})\b", story))
    names = proper_nouns | (named_here - {"the", "and", "after", "her", "his", "their"})

    def capital(match):
        return match.group(1) + match.group(2).upper()

    story = re.sub(r"\bi\b", "I", story)
    story = re.sub(
        r"[a-z]+", lambda m: m.group().capitalize() if m.group() in names else m.group(), story
    )
    # Start of a paragraph (with or without an opening quote), and of a quotation.
    story = re.sub(r"(?m)(^[\"']?)([a-z])", capital, story)
    story = re.sub(r"(\s[\"'](?=[a-z]))([a-z])", capital, story)
    # After a full stop; after "!" or "?" outside and inside a closed quotation,
    # unless a speech tag continues the sentence ("Help!" cried the duck).
    story = re.sub(r"(\.[\"']?\s[\"']?)([a-z])", capital, story)
    story = re.sub(r"([!?]\s[\"']?)([a-z])", capital, story)
    tag = rf"(?!(?:[\w']+ ){{0,3}}?(?:{SPEECH_VERBS})\b)"
    return re.sub(rf"([!?][\"']\s{tag})([a-z])", capital, story)


def letters(story):
    """The key by which two versions of one story are recognised."""
    return re.sub(r"[^a-z]", "", story.lower())[:120]


def write_documents(path, documents):
    path.write_text("".join(f"{document}\n{SEPARATOR}\n" for document in documents), encoding="ascii")
    print(f"{path.name}: {len(documents)} documents, {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with tinystories/ and text-classics/")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the text files")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    tinystories = arguments.data / "tinystories"
    portions = {
        name: [to_ascii(story) for story in read_documents(tinystories / f"tinystories-{name}.txt.xz")]
        for name in ("v1", "v2-gpt4", "v1-lowercase")
    }
    proper_nouns = learn_proper_nouns(portions["v1"] + portions["v2-gpt4"])
    print(f"{len(proper_nouns)} proper nouns learnt")

    seen, train, held_out = set(), [], []
    for name, stories in portions.items():
        kept = []
        for story in stories:
            key = letters(story)
            if is_sound(story) and key not in seen:
                seen.add(key)
                kept.append(true_case(story, proper_nouns) if name == "v1-lowercase" else story)
        print(f"{name}: {len(kept)} of {len(stories)} stories kept")
        for index, story in enumerate(kept):
            (held_out if index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1 else train).append(story)

    books = [to_ascii(book) for book in read_documents(arguments.data / "text-classics/childrens-classics.txt.xz")]
    books = ["\n".join(line for line in book.split("\n") if line.isascii()) for book in books]
    write_documents(arguments.out / "stories-train.txt", train)
    write_documents(arguments.out / "held-out.txt", held_out)
    write_documents(arguments.out / "classics.txt", books)


if __name__ == "__main__":
    main()
