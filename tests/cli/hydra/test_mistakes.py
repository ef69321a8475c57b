"""What is wrong on nmt-train's command line, in a preset or in a text ends in one line that says what to do."""

import pytest

from nmt.cli.hydra.train import main
from nmt.config.choices import Cell

CELLS = ", ".join(Cell)

OWN = ["corpus.train=nowhere", "corpus.source=en", "corpus.target=de"]
REFERENCES = (
    "${KEY} stands for the value of another key, ${oc.env:NAME} for an environment variable, and \\${ for a plain ${"
)
SAMPLED_WORDS_ARE_GONE = (
    "trainer.sampled_words is gone: sampled softmax was given up, and the loss looks at all words; leave it out"
)
WRONG = {
    # unknown keys, with what was meant
    "trainer.max_update=3": "unknown key trainer.max_update; did you mean trainer.max_updates?",
    "modle.dropout=0.1": "unknown key modle; did you mean model?",
    "sed=3": "unknown key sed; did you mean seed?",
    "dropout=0.3": "unknown key dropout; did you mean model.dropout?",
    "+trainer.max_update=3": "unknown key trainer.max_update; did you mean trainer.max_updates?",
    "++zzzzzzzz=3": "unknown key zzzzzzzz; nmt-train --help lists the keys",
    # keys that are gone, with what became of them
    "trainer.sampled_words=1024": SAMPLED_WORDS_ARE_GONE,
    "trainer.sampled_words=0": SAMPLED_WORDS_ARE_GONE,
    "+trainer.sampled_words=3": SAMPLED_WORDS_ARE_GONE,
    "++trainer.sampled_words=3": SAMPLED_WORDS_ARE_GONE,
    # unknown choices, with all there are
    "model=huge": "there is no model=huge; available are base, classifier, language_model, small, tagger, tiny",
    "model=smal": "there is no model=smal; did you mean model=small? available are base, classifier, language_model, "
    "small, tagger, tiny",
    "search=best": "there is no search=best; available are beam, greedy",
    # wrong types
    "optimizer.lr=fast": "optimizer.lr=fast is not possible: it must be a number",
    "trainer.max_updates=1.5": "trainer.max_updates=1.5 is not possible: it must be a whole number",
    "trainer.max_updates=many": "trainer.max_updates=many is not possible: it must be a whole number",
    "subwords.joint=maybe": "subwords.joint=maybe is not possible: it must be true or false",
    "model.cell=cnn": f"model.cell=cnn is not possible: it must be one of {CELLS}",
    "optimizer.schedule=cosin": (
        "optimizer.schedule=cosin is not possible: it must be one of constant, linear, cosine, inverse_sqrt"
    ),
    # lists
    "corpus.extra=data/back": "corpus.extra must be a list of texts, as in corpus.extra=[data/one,data/two]",
    "corpus.extra=données/a b": "corpus.extra must be a list of texts, as in corpus.extra=[data/one,data/two]",
    "corpus.extra=": "corpus.extra must be a list of texts, as in corpus.extra=[data/one,data/two]",
    "corpus.extra=null": "corpus.extra must be a list of texts, as in corpus.extra=[data/one,data/two]",
    "corpus.weights=2": "corpus.weights must be a list of numbers, as in corpus.weights=[1,0.5]",
    "corpus.weights=[1,much]": (
        "corpus.weights: much is not possible, it must be a list of numbers, as in corpus.weights=[1,0.5]"
    ),
    "corpus.tags=[-1,0.5]": (
        "corpus.tags: 0.5 is not possible, it must be a list of whole numbers, as in corpus.tags=[-1,0]"
    ),
    "corpus.tags={a: 1}": "corpus.tags must be a list of whole numbers, as in corpus.tags=[-1,0]",
    "corpus.weights=[1;2]": "corpus.weights must be a list of numbers, as in corpus.weights=[1,0.5]",
    "corpus.extra=[a": "corpus.extra must be a list of texts, as in corpus.extra=[data/one,data/two]",
    "corpus.extra=[a,,b]": "corpus.extra must be a list of texts, as in corpus.extra=[data/one,data/two]",
    "corpus.weights=[1,2]": (
        "corpus.weights=[1.0, 2.0] has 2 entries for 1 training texts: give one for corpus.train and one for each of "
        "corpus.extra, or none"
    ),
    # what Hydra's grammar does not know
    "model.cell=日本": f"model.cell=日本 is not possible: it must be one of {CELLS}",
    "model.cell='lstm": f"model.cell='lstm is not possible: it must be one of {CELLS}",
    "optimizer.lr=٣": "optimizer.lr=٣ is not possible: it must be a number, written with the digits 0 to 9",
    "trainer.max_updates=１": (
        "trainer.max_updates=１ is not possible: it must be a whole number, written with the digits 0 to 9"
    ),
    "model.dropout={a:": "model.dropout={a: is not possible: it must be a number",
    "model.dropout=(1": "model.dropout=(1 is not possible: it must be a number",
    "model.dropout=[1": "model.dropout=[1 is not possible: it must be a number",
    "model.dropout='1": "model.dropout='1 is not possible: it must be a number",
    'model.dropout=1"': 'model.dropout=1" is not possible: it must be a number',
    "model.dropout=\x01": "model.dropout=\\x01 is not possible: it must be a number",
    "model.dropout=1\n2": "model.dropout=1\\n2 is not possible: it must be a number",
    "optimizer.lr=a=b=c": "optimizer.lr=a=b=c is not possible: it must be a number",
    "seed=foo(1)": "seed=foo(1) is not possible: it must be a whole number",
    "seed=int(a)": "seed=int(a) is not possible: it must be a whole number",
    f"seed={'(' * 500}": f"seed={'(' * 100}… is not possible: it must be a whole number",
    "model=日本": "there is no model=日本; available are base, classifier, language_model, small, tagger, tiny",
    "model=a=b": "there is no model=a=b; available are base, classifier, language_model, small, tagger, tiny",
    "hydra/launcher=nope": "there is no hydra/launcher=nope; see nmt-train --hydra-help",
    "日本=3": "unknown key 日本; nmt-train --help lists the keys",
    "~日本": "unknown key 日本; nmt-train --help lists the keys",
    "corpus.weights=[1,,2]": "corpus.weights must be a list of numbers, as in corpus.weights=[1,0.5]",
    "corpus.extra=a,b]": "corpus.extra must be a list of texts, as in corpus.extra=[data/one,data/two]",
    "corpus.extra=[,]": "corpus.extra must be a list of texts, as in corpus.extra=[data/one,data/two]",
    "corpus.train=a\x1b[1m": (
        "corpus.train=a\\x1b[1m: there is no file a\\x1b[1m.en (nor a\\x1b[1m.en.gz); check the path and the languages"
    ),
    # references to other keys
    "corpus.train=a${b}/train": f"corpus.train=a${{b}}/train is not possible: there is no key b; {REFERENCES}",
    "corpus.train=é ${b}": f"corpus.train=é ${{b}} is not possible: there is no key b; {REFERENCES}",
    "corpus.extra=[a,'${b}']": f"corpus.extra[1]=${{b}} is not possible: there is no key b; {REFERENCES}",
    "corpus.train=${}": f"corpus.train=${{}} is not possible: it refers to nothing; {REFERENCES}",
    "corpus.train='${'": f"corpus.train=${{ is not possible: it refers to nothing; {REFERENCES}",
    "corpus.train=${": f"corpus.train=${{ is not possible: it refers to nothing; {REFERENCES}",
    "seed=${": f"seed=${{ is not possible: it refers to nothing; {REFERENCES}",
    "corpus.train=${nope:1}": f"corpus.train=${{nope:1}} is not possible: there is no nope to refer to; {REFERENCES}",
    "corpus.train=${oc.env:}": f"corpus.train=${{oc.env:}} is not possible: it refers to nothing; {REFERENCES}",
    "corpus.train=${oc.env:NMT_NOT_SET}": (
        "corpus.train=${oc.env:NMT_NOT_SET} is not possible: the environment variable NMT_NOT_SET is not set; "
        "set it, or give a default: ${oc.env:NMT_NOT_SET,DEFAULT}"
    ),
    "name=${name}": "name=${name} is not possible: it refers to itself; name another key",
    "corpus.train=${corpus}": "corpus.train=${corpus} is not possible: it refers to itself; name another key",
    "seed=${model.cell}": "seed=lstm is not possible: it must be a whole number",
    "seed=${corpus}": "seed=${corpus} is not possible: it must be a whole number",
    "model=${name}": "${name} cannot be a choice, which is made before keys have values; name one",
    "corpus.train=a\\${b}": (
        "corpus.train=a${b}: there is no file a${b}.en (nor a${b}.en.gz); check the path and the languages"
    ),
    "corpus.train=${oc.env:NMT_NOT_SET,x}": (
        "corpus.train=x: there is no file x.en (nor x.en.gz); check the path and the languages"
    ),
    # several values
    "seed=range(1,3)": "seed=range(1,3) has several values; to train with each of them add -m",
    "seed=1,2": "seed=1,2 has several values; to train with each of them add -m",
    "model=tiny,small": "model=tiny,small has several values; to train with each of them add -m",
    "corpus.extra=[a],[b]": "corpus.extra=[a],[b] has several values; to train with each of them add -m",
    # impossible values
    "model.dropout=1.5": "model.dropout=1.5 is not possible: it must be 0 or more and below 1",
    "trainer.device=toaster": "device=toaster is unknown: take auto, cpu, cuda or cuda:N",
    "corpus.target=en": "corpus.source and corpus.target are both 'en': they must name two languages",
    "corpus.train=": (
        "corpus.train is not set: name the training text, as in corpus.train=data/train for data/train.en"
    ),
    # text that is not there, under the name that was typed
    "corpus.train=données/mes phrases=1": (
        "corpus.train=données/mes phrases=1: there is no file données/mes phrases=1.en "
        "(nor données/mes phrases=1.en.gz); check the path and the languages"
    ),
}


@pytest.fixture
def nmt_train(capsys, monkeypatch, tmp_path):
    """A function that runs the command in this process: its exit code and the lines of stderr; stdout stays empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "cache"))

    def run(*words):
        code = main([*map(str, words)])
        printed = capsys.readouterr()
        assert printed.out == ""
        return code, printed.err.splitlines()

    return run


@pytest.mark.parametrize(("word", "message"), WRONG.items())
def test_a_mistake_ends_in_one_line_that_says_what_to_do(nmt_train, word, message):
    assert nmt_train(*OWN, word) == (2, [f"nmt-train: error: {message}"])


@pytest.mark.parametrize(
    "words",
    [
        ["experiment"],
        ["="],
        ["model="],
        ["model.dropout=0.1,0.2"],
        ["trainer.max_updates=[1,2]"],
        ["trainer.max_updates=null"],
        ["trainer={a:1}"],
        ["model=tiny,small"],
        ["corpus.train=${nowhere}"],
        ["corpus.train=${"],
        ["corpus.train='half"],
        ["~trainer.max_updates"],
        ["~model"],
        ["optimizer.lr=1e-3="],
        ["optimizer.lr=\\"],
        ["+optimizer=adamw"],
        ["optimiser=adamw"],
        ["hydra.run.dirr=x"],
        ["--config-name=none"],
        ["-cd", "no/such/folder"],
        ["--cfg", "everything"],
        ["-m", "model=huge"],
        ["-m", "optimizer.lr=fast,slow"],
        ["-m", "corpus.source=en,"],
    ],
)
def test_any_other_mistake_ends_in_one_line_too(nmt_train, words):
    code, lines = nmt_train(*OWN, *words)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("nmt-train: error: ")
    assert len(lines[0]) < 400


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config-name=none"], "--config-name none: there is no such configuration; nmt-train's own is train"),
        (
            ["-cn", "model/tiny", "seed=1"],
            "--config-name model/tiny names a configuration without corpus.train; nmt-train's own is train",
        ),
        (["-cd", "nowhere"], "--config-dir: there is no directory {here}/nowhere; check the path"),
        (["-cp", "nowhere"], "--config-path: there is no directory {here}/nowhere; check the path"),
        (
            ["-cp", "."],
            "--config-path names a directory without train.yaml; for settings files of your own, beside nmt-train's, "
            "use --config-dir",
        ),
        (["--resolve"], "--resolve needs --cfg job: it prints the configuration with the values of all ${...}"),
        (["--cfg", "job", "-m"], "--cfg and -m exclude each other: take one of them"),
        (
            ["--cfg", "job", "--resolve", "corpus.train=a${b}"],
            f"a value that refers to another key is not possible: there is no key b; {REFERENCES}",
        ),
        (["-m", "seed=range(1,3"], "seed=range(1,3 is not possible: it must be a whole number"),
        (
            ["-m", "model.cell=日本,lstm"],
            f"model.cell=日本,lstm is not possible: it must be one of {CELLS}",
        ),
    ],
)
def test_options_that_lead_nowhere_are_one_line(nmt_train, tmp_path, words, message):
    told = message.replace("{here}", str(tmp_path))
    assert nmt_train(*OWN, *words) == (2, [f"nmt-train: error: {told}"])


def test_norwegian_in_a_file_of_ones_own(nmt_train, tmp_path):
    file = tmp_path / "my" / "corpus" / "norsk.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("train: x\nsource: no\ntarget: en\n", encoding="utf-8")
    assert nmt_train("-cd", tmp_path / "my", "corpus=norsk") == (
        2,
        [
            "nmt-train: error: corpus.source is False: YAML reads the words no, off, yes and on as truth values; "
            "write source: 'no' in quotes"
        ],
    )
    assert "there is no file x.no" in nmt_train("corpus.train=x", "corpus.source=no", "corpus.target=en")[1][0]


def test_a_sweep_tells_every_failure_and_goes_on(nmt_train):
    code, lines = nmt_train("-m", *OWN, "model.dropout=1.5,2.5")
    assert code == 2
    reasons = [f"model.dropout={value} is not possible: it must be 0 or more and below 1" for value in (1.5, 2.5)]
    assert lines == [
        *(f"nmt-train: error: {reason}; the sweep goes on with its next job" for reason in reasons),
        "",
        *(
            f"failed: runs/run/model.dropout={value}: {reason}"
            for value, reason in zip((1.5, 2.5), reasons, strict=True)
        ),
        "this table: runs/run/sweep.md",
    ]


def test_a_mistake_leaves_nothing_behind_and_in_a_sweep_its_reason(nmt_train, tmp_path):
    nmt_train(*OWN, "model.dropout=1.5")
    assert list(tmp_path.iterdir()) == []
    nmt_train("-m", *OWN, "model.dropout=1.5,2.5")
    assert sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()) == [
        "runs/run/model.dropout=1.5/failure.txt",
        "runs/run/model.dropout=2.5/failure.txt",
        "runs/run/multirun.yaml",
        "runs/run/sweep.md",
    ]
