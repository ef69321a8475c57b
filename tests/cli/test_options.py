import dataclasses

import pytest

from nmt.cli.common import Parser
from nmt.cli.option_checks import option_name
from nmt.cli.options import add_machine_options, add_search_options, search_config
from nmt.config.choices import LengthNormalization
from nmt.config.schema import describe
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError


@pytest.fixture
def parser():
    parser = Parser("nmt-test")
    add_search_options(parser)
    add_machine_options(parser)
    return parser


def test_every_search_setting_is_an_option_with_its_own_help(parser):
    text = " ".join(parser.format_help().split())
    for name in (item.name for item in dataclasses.fields(SearchConfig) if item.name != "terms"):  # see test_terms.py
        assert f"{option_name(name)} " in text
        assert describe(SearchConfig)[name].split()[0] in text


def test_what_is_not_given_is_as_the_model_says(parser):
    model = SearchConfig(beam_size=7, length_penalty=0.3, normalization=LengthNormalization.gnmt)
    assert search_config(parser.parse_args([]), model) == model
    given = parser.parse_args(["--beam-size", "1", "--normalization", "average"])
    assert search_config(given, model) == SearchConfig(beam_size=1, length_penalty=0.3)
    assert model.beam_size == 7
    tagged = parser.parse_args(["--source-tag", "0"])
    assert search_config(tagged, model).source_tag == 0
    assert search_config(parser.parse_args(["--source-tag", "-1"]), search_config(tagged)).source_tag == -1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch-size", "0"], "--batch-size 0 is not possible: it must be between 1 and 1000000"),
        (["--max-length-ratio", "0"], "--max-length-ratio 0.0 is not possible: it must be above 0, at most 1000"),
        (["--source-tag", "16"], "--source-tag 16 is not possible: it must be between 0 and 15, or -1"),
        (["--source-tag", "-2"], "--source-tag -2 is not possible: it must be between 0 and 15, or -1"),
        (["--length-penalty", "nan"], "--length-penalty nan is not possible: it must be a finite number"),
    ],
)
def test_impossible_values_are_named_as_they_were_typed(words, message, parser):
    with pytest.raises(ConfigError) as caught:
        search_config(parser.parse_args(words))
    assert str(caught.value) == message


def test_words_that_are_none_of_the_choices_list_them(parser):
    with pytest.raises(ConfigError, match=r"argument --normalization: invalid choice: 'log'.*gnmt.*average"):
        parser.parse_args(["--normalization", "log"])
