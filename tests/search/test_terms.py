"""Terms: favoured by a number that is computed by hand, and required as brute force finds it."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from nmt.search.beam import beam_search
from nmt.search.distribution import Sampling
from nmt.search.greedy import greedy_search
from nmt.search.interface import Constraints, Term
from nmt.search.processors import ForcedPrefix, RequiredMarks
from nmt.search.rules import Forbidden, NoRepeatNgram
from nmt.search.sampling import Draw, draw_outputs
from nmt.search.terms import FavouredTerms, RequiredTerms, TermSpelling
from nmt.text.terms import count_words

PIECES = ["</s>", "▁a", "▁b", "c", "▁", "▁d"]
SPELLING = TermSpelling(lambda: PIECES, space="▁", eos_id=0, count=count_words)
REQUIRED = RequiredTerms(SPELLING)
HARD = {"processors": [REQUIRED], "terms": SPELLING}


def hard(*terms, **more):
    """Constraints of terms, each a tuple of its forms."""
    return Constraints(terms=tuple(Term((0,), forms) for forms in terms), requires_terms=True, **more)


def has_all(constraints, tokens):
    """By another way than the product's: whether a form of each term is there as whole words."""
    text = "".join(PIECES[token] for token in tokens)
    words = [["".join(PIECES[token] for token in form).strip("▁") for form in term.forms] for term in constraints.terms]
    return all(any(re.search(rf"(?<![a-z]){form}(?![a-z])", text) for form in forms) for forms in words)


SETS = [
    hard(((1, 3),)),
    hard(((2,),), ((1,),)),
    hard(((2, 5, 1), (5,))),
    hard(((1,),), ((3, 3),), ((1, 3),)),  # the second stands in no word of its own
    hard(((5,),), prefix=(5, 2)),
]


@pytest.mark.parametrize("constraints", SETS)
def test_the_best_with_all_its_terms_is_that_of_brute_force(tables, kind, constraints):
    changed = 0
    for seed in range(1, 3):
        model = tables.random_model(seed, kind=kind, vocabulary=6)
        processors = [ForcedPrefix(), REQUIRED]
        options = {"limits": 4, "length_penalty": 0, "processors": processors, "terms": SPELLING}
        [found] = tables.search(
            beam_search, model, [2], beam_size=1600, n_best=1600, constraints=[constraints], **options
        )
        begun = constraints.prefix
        endings = [
            ((*begun, *tokens), model.rescore(2, begun, finished=False) + log_prob, finished)
            for tokens, log_prob, finished in tables.every_ending(
                model, model.node_after(2, begun), limit=4 - len(begun)
            )
        ]
        whole = [one for one in endings if one[2] and has_all(constraints, one[0])]
        finished = [one for one in tables.plain(found) if one[3]]
        tables.assert_same(finished, tables.ranked(whole, 0, "average"))
        changed += not has_all(constraints, max(endings, key=lambda one: one[1])[0])
    assert changed or constraints.prefix


@pytest.mark.parametrize("shared", [True, False])
def test_a_narrow_beam_writes_all_terms_where_its_places_are_shared_out(tables, kind, shared):
    """With five places; the best continuations alone never have them."""
    constraints, complete = hard(((1, 3),), ((5, 2, 5),)), 0
    for seed in range(10):
        model = tables.random_model(seed, kind=kind, vocabulary=6, eos_bias=2.0)
        model.logits[:, [1, 5]] -= 6.0
        options = HARD if shared else {"processors": [REQUIRED]}
        [[best]] = tables.search(beam_search, model, [0], limits=12, constraints=[constraints], **options)
        assert not best.finished or has_all(constraints, best.tokens)
        assert best.log_prob == pytest.approx(model.rescore(0, best.tokens, best.finished), abs=1e-4)
        complete += best.finished
    assert complete == 10 if shared else complete < 5


def test_a_term_is_not_lengthened(tables, kind):
    """The model always goes on with "c", which makes another word of the term."""
    constraints = hard(((1,),))
    for seed in range(10):
        model = tables.random_model(seed, kind=kind, vocabulary=6)
        model.logits[:, 3] += 9.0
        [[best]] = tables.search(beam_search, model, [0], limits=12, beam_size=2, constraints=[constraints], **HARD)
        assert best.finished
        assert has_all(constraints, best.tokens)


def test_a_sentence_is_found_as_alone_and_one_without_terms_as_ever(tables, kind):
    model = tables.random_model(4, kind=kind, vocabulary=6)
    constraints = [hard(((1, 3),)), Constraints(), hard(((5,),)), Constraints((2, 2))]
    options = {"limits": 9, "n_best": 3, "rules": [Forbidden([4]), NoRepeatNgram(3)]}
    own = {**options, **HARD, "processors": [ForcedPrefix(), REQUIRED]}
    together = tables.search(beam_search, model, range(4), constraints=constraints, **own)
    for start in range(4):
        [alone] = tables.search(beam_search, model, [start], constraints=[constraints[start]], **own)
        tables.assert_same(tables.plain(alone), tables.plain(together[start]))
    [free] = tables.search(beam_search, model, [1], **options)
    tables.assert_same(tables.plain(together[1]), tables.plain(free))
    for hypotheses in together:
        assert all(4 not in one.tokens for one in hypotheses)


def test_marks_and_terms_are_required_together(tables, kind):
    constraints = hard(((5,),), marks=(2,), requires_marks=True)
    processors = [RequiredMarks(eos_id=0), REQUIRED]
    for seed in range(5):
        model = tables.random_model(seed, kind=kind, vocabulary=6)
        [[best]] = tables.search(
            beam_search,
            model,
            [0],
            limits=16,
            beam_size=4,
            constraints=[constraints],
            processors=processors,
            terms=SPELLING,
        )
        assert best.finished
        assert {2, 5} <= {*best.tokens}


def attending(tables, shares, probabilities):
    """A model that always says the same, and always attends with these shares."""

    class Model(tables.TableModel):
        def attention(self, nodes, state):
            return self.to_kind(np.broadcast_to(np.array(shares), (*nodes.shape, len(shares))))

    with np.errstate(divide="ignore"):
        return Model(np.log([probabilities]), np.zeros((1, len(probabilities)), dtype=np.int64))


def test_what_is_added_to_a_term_is_as_computed_by_hand(tables):
    """Attention of 1/4 for the source adds 4 at the beginning, 16 within, and nothing once it is written."""
    p = [0.2, 0.4, 0.1, 0.1, 0.1, 0.1]
    model = attending(tables, [0.75, 0.25], p)
    constraints = Constraints(terms=(Term((1,), ((2, 3, 5),)),))
    steps = [(2, 4.0), (3, 16.0), (5, 16.0), (1, 0.0)]
    expected = 0.0
    for token, gain in steps:
        favoured = token if gain else 0
        raised = p[favoured] * math.exp(gain)
        expected += math.log(p[token] * math.exp(gain) / (1 - p[favoured] + raised))
    options = {"limits": 4, "lengths": [2], "length_penalty": 0, "processors": [FavouredTerms(SPELLING)]}
    [[best]] = tables.search(greedy_search, model, [0], constraints=[constraints], **options)
    assert best.tokens == [2, 3, 5, 1]
    assert best.score == pytest.approx(expected)
    assert best.log_prob == pytest.approx(sum(math.log(p[token]) for token, _ in steps), rel=1e-5)
    [[beam]] = tables.search(beam_search, model, [0], beam_size=1, constraints=[constraints], **options)
    assert beam == best
    # Twice in the source, twice in the translation; a form with an ending counts too.
    twice = Constraints(terms=(Term((1,), ((2, 3, 5),), times=2),))
    options["limits"] = 7
    [[best]] = tables.search(greedy_search, model, [0], constraints=[twice], **options)
    assert best.tokens == [2, 3, 5, 2, 3, 5, 1]
    # Sampling asks the same processor: at a low temperature it draws the best.
    source, lengths = model.batch([0], [2])
    sampling = Sampling(temperature=1e-3)
    drawing = tables.options_for(model, processors=[FavouredTerms(SPELLING)], sampling=sampling)
    stepper = tables.Stepper(model, source, lengths, max_lengths=[3], options=drawing, constraints=[constraints])
    assert draw_outputs(stepper, [Draw(1)])[0][0].tokens == [2, 3, 5]


def test_without_attention_nothing_is_favoured(tables, kind):
    model = tables.random_model(3, kind=kind, vocabulary=6)
    model.attends = False
    constraints = [Constraints(terms=(Term((0,), ((2, 3),)),))]
    told = {"limits": 9, "beam_size": 3}
    favoured = tables.search(
        beam_search, model, [0], processors=[FavouredTerms(SPELLING)], constraints=constraints, **told
    )
    assert [[one.tokens for one in each] for each in favoured] == [
        [one.tokens for one in each] for each in tables.search(beam_search, model, [0], **told)
    ]
