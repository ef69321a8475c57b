"""nmt predict: a Unix filter from lines to what a model of any task makes of them, by `nmt.cli.translate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from nmt.cli import translate
from nmt.cli.common import run
from nmt.config.choices import TaskName

_DESCRIPTION = """\
Run a model over standard input: one line of output for each line of input, in order.

  translation     a sentence a line, and its translation: what nmt-translate does
  labelling       tokens parted by spaces, and as many labels parted by spaces
  classification  a text, and its label
  generation      a prompt a line, and a line that begins with it

Blank lines stay blank, only "\\n" ends a line, and warnings go to standard error. Lines are answered as soon as input
pauses. A model that labels or classifies takes the options of output, processes and machine, --batch-size and
--max-source-tokens. A language model continues each prompt by search, or draws from its distribution with --sample.
With --count N it reads nothing, and writes N lines of its own."""

_EXAMPLES = """\
examples:
  nmt predict runs/weibo_ner/best < tokens.txt > labels.txt
  echo "我 爱 北京 天安门" | nmt predict runs/demo_labelling/best
  nmt predict runs/weibo_ner/best --scores < tokens.txt | sort -n | cut -f 2-      the least certain ones first
  nmt predict runs/weibo_ner/best --format jsonl < tokens.txt
  echo "How far is it to the moon?" | nmt predict runs/trec_questions/best --attention
  nmt predict runs/trec_questions/best --n-best 3 --format jsonl < texts.txt       the three most probable labels
  echo "A dog" | nmt predict runs/multi30k_generation/best --sample --temperature 0.7
  nmt predict runs/multi30k_generation/best --count 10 --sample --top-p 0.9 --seed 5

The score of labels is the logarithm of their probability, divided by the number of tokens; that of a line's label is
the logarithm of its probability. With --attention the label is followed by a tab and each word with its weight, as in
How:0.71 far:0.20. The jsonl of a model that classifies also has label, probabilities of all labels, words, and
attention, a weight for each of these words.

exit codes: 0 done, 1 failed, 2 wrong use, 129, 130 or 143 stopped by a signal"""

PREDICT = translate.Filter("nmt predict", _DESCRIPTION, _EXAMPLES, "nmt.cli.predict", tuple(TaskName))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(lambda: translate.translate(translate.parse(argv, command=PREDICT)), PREDICT.name)


def serve() -> NoReturn:
    """Be one of the processes of ``--workers``."""
    translate.serve(PREDICT)


if __name__ == "__main__":
    sys.exit(main())
