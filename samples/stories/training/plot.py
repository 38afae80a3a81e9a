"""Joins the loss curves of both runs into loss-curve.csv, thinned, and draws loss-curve.svg."""

import argparse
import csv
import pathlib

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

COLUMNS = ["model", "step", "minutes", "tokens", "rate", "train_loss", "held_out_loss", "mean_accepted_length"]
LINES_PER_MODEL = 145


def read_curve(path, model):
    with open(path, newline="") as file:
        rows = [dict(row, model=model) for row in csv.DictReader(file)]
    every = -(-len(rows) // LINES_PER_MODEL)
    return [
        row for index, row in enumerate(rows)
        if index % every == 0 or row.get("held_out_loss") or row.get("mean_accepted_length")
    ]


def draw(axes, rows, column, label, style):
    points = [(float(row["minutes"]), float(row[column])) for row in rows if row.get(column)]
    axes.plot(*zip(*points), style, label=label, markersize=3, linewidth=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder with the two loss curves")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    arguments = parser.parse_args()
    target = read_curve(arguments.work / "target-loss.csv", "target")
    draft = read_curve(arguments.work / "draft-loss.csv", "draft")
    with open(arguments.out / "loss-curve.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(target + draft)

    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "loss-curve", "font.size": 9})
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4))
    draw(left, target, "train_loss", "training mix", "-")
    draw(left, target, "held_out_loss", "held-out stories", "o-")
    left.set(title="Target", xlabel="minutes", ylabel="loss (nats a token)")
    left.legend()
    draw(right, draft, "mean_accepted_length", "mean accepted length, k = 4", "o-")
    right.set(title="Draft, distilled", xlabel="minutes", ylabel="tokens per target pass")
    right.legend()
    figure.tight_layout()
    figure.savefig(arguments.out / "loss-curve.svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
