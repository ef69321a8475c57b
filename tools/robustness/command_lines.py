"""Cases of odd command lines: options, settings and groups of all commands, and words that are none of these."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nmt.cli.hydra.keys import GROUPS, known_keys
from robustness.cases import BUNDLE, Case, Part, Streams, generator, words_of
from robustness.models import Model, training_words
from robustness.values import NUMBERS, PATHS, SAFE_PATHS, TEXTS, TRUTHS

KIND = "commands"
_KEYS = tuple(known_keys())
_OPTIONS: dict[str, tuple[str, ...]] = {
    "nmt-translate": words_of(
        """
        --format --n-best --scores --quiet --beam-size --length-penalty --normalization --max-length-ratio
        --threads --max-source-tokens --batch-size --no-repeat-ngram --source-tag --precision --device
        --workers --help -h --version --prefixes --input-format --tag --min-length --sample --rerank --sharpness
        --alignments
        """
    ),
    "nmt-evaluate": words_of(
        """
        --source --hypotheses --reference --format --output --quiet --tokenize --lowercase --beam-size
        --precision --threads --device --help --version
        """
    ),
    "nmt-export": words_of(
        """
        --precision --shortlist --train --quiet --help -h --version
        """
    ),
    "nmt-train": words_of(
        """
        --help -h --version -m --multirun -c --cfg --resolve --package -p --config-path -cp --config-name
        -cn --config-dir -cd --info -i --hydra-help --shell-completion -sc --cfg=job --cfg=all --cfg=hydra
        --info=plugins --info=defaults --info=x --run -r
        """
    ),
}
_ODD = (
    *words_of(
        """
        - -- --- = == a= =b a=b=c -= --= + ++ ~ +a ++a=1 ~a ~a=1 @file x ' 'a ${ ${x} $x * ? [ ] { } ( ) , ; # %
        %s ! & | -1 1 0 --beam --beam-siz -beam-size --BEAM-SIZE --beam_size --beam-size= --=1 -mm -c -cjob -cfg
        --cfg --cfg=x --hydra-help=1 --help=3 --version=x -hm ~corpus ~corpus.train ~trainer +corpus.x=1
        ++seed=2 seed seed= seed==1 =1 lr=1 optimizer.lr optimiser.lr=1 corpus corpus= corpus. corpus..train=x
        .corpus=x corpus.train.x=1 hydra.run.dir=out hydra.job.chdir=true hydra/launcher=x
        hydra/job_logging=default hydra.verbose=true hydra.searchpath=[file:///x] +hydra.x=1 hydra=x ~hydra
        hydra.output_subdir=x hydra.mode=MULTIRUN seed=1,2 seed=range(1,3) seed=choice(1,2) seed=shuffle(1,2)
        model.cell=lstm,gru trainer.x=1 /corpus=x corpus@x=demo model@y=tiny +model@z=tiny
        experiment=[demo,demo] +experiment=demo ~model model=tiny@x text jsonl moses int8 fp32 average cpu
        cuda:9 mps auto 13a
        """
    ),
    *("é", "🙂=1", '"', "\\", "\u202e", "", " ", "x" * 100_000, "\udcff", "--\udce9", "\udce9=1", "a\nb"),
    *("a\nb=1", "\t=1", "seed =1", "\x01"),
)
_FURTHER = words_of("text jsonl moses int8 fp32 bf16 average gnmt cpu cuda cuda:9 mps auto 13a")


def make(seed: int, number: int, models: Sequence[Model]) -> Case:
    """Make a case."""
    draw = generator(seed, KIND, number)
    command = draw.choice(tuple(_OPTIONS))
    whole = draw.random() < 0.75
    words = _sound(command) if whole else ()
    parts = tuple(_part(draw, command) for _ in range(draw.choice((0, 1, 1, 2, 3) if whole else (0, 1, 2, 4, 6))))
    if draw.random() < 0.15 and words:
        at = draw.randrange(len(words))
        words = (*words[:at], _misspelt(draw, words[at]), *words[at + 1 :])
    # Without them a training may take its own time.
    ending = (
        ("trainer.max_updates=2", "trainer.max_minutes=0.03", "trainer.threads=1") if command == "nmt-train" else ()
    )
    return Case(
        kind=KIND,
        number=number,
        command=command,
        words=words,
        parts=parts,
        ending=ending,
        text=b"A dog runs.\n\nHe lives in Munich.\n" if command == "nmt-translate" else b"",
        model=draw.choice(models).name,
        whole_run=draw.random() < 0.2,
        streams=_streams(draw),
    )


def _sound(command: str) -> tuple[str, ...]:
    """Return a command line that does something."""
    return {
        "nmt-translate": (BUNDLE,),
        "nmt-evaluate": (BUNDLE, "--source", "test.en", "--reference", "test.de"),
        "nmt-export": (BUNDLE, "--precision", "int8"),
        "nmt-train": training_words(),
    }[command]


def _part(draw: Random, command: str) -> Part:
    """Draw one or two words."""
    others = tuple(option for options in _OPTIONS.values() for option in options)
    options = _OPTIONS[command]
    values = (*NUMBERS, *SAFE_PATHS, *TEXTS, *_FURTHER, *TRUTHS)
    way = draw.randrange(12)
    if way <= 2:
        return Part("option", words=(draw.choice(options), draw.choice(values)))
    if way == 3:
        return Part("option", words=(draw.choice(options),))
    if way == 4:
        return Part("option", words=(f"{draw.choice(options)}={draw.choice(values)}",))
    if way == 5:
        return Part("another command's option", words=(draw.choice(others), draw.choice(values)))
    if way == 6:
        option = draw.choice(options)
        return Part("misspelt option", words=(_misspelt(draw, option), draw.choice(values)))
    if way == 7:
        key = draw.choice(_KEYS)
        return Part("misspelt setting", words=(f"{_misspelt(draw, key)}={draw.choice(NUMBERS)}",))
    if way == 8:
        return Part(
            "group", words=(f"{draw.choice(GROUPS)}={draw.choice((*_FURTHER, *TEXTS, 'tiny', 'demo', 'bpe'))}",)
        )
    if way == 9:
        return Part("path", words=(draw.choice(PATHS if command != "nmt-train" else SAFE_PATHS),))
    return Part("odd word", words=(draw.choice(_ODD),))


def _misspelt(draw: Random, word: str) -> str:
    """Change a word by a letter."""
    if not word:
        return "x"
    at = draw.randrange(len(word))
    other = draw.choice("abcdefghijklmnopqrstuvwxyz-_=. \u00e9\udce9")
    return draw.choice((word[:at] + word[at + 1 :], word[:at] + other + word[at:], word[:at] + other + word[at + 1 :]))


def _streams(draw: Random) -> Streams:
    way = draw.random()
    if way < 0.72:
        return Streams()
    if way < 0.76:
        return Streams(stdin="closed")
    if way < 0.80:
        return Streams(stdout="closed")
    if way < 0.83:
        return Streams(stderr="closed")
    if way < 0.86:
        return Streams(stdout="full")
    if way < 0.88:
        return Streams(stdout="gone")
    if way < 0.94:
        return Streams(file_limit=draw.choice((0, 1, 1000, 4096, 10_000, 50_000, 200_000)))
    if way < 0.96:
        return Streams(directory_gone=True)
    return Streams(ascii_locale=way >= 0.98)
