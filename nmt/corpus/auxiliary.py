"""Auxiliary tasks of multi-task data augmentation: pairs whose target is no fluent text.

Sánchez-Cartagena et al. (2021, "Rethinking Data Augmentation for Low-Resource Neural Machine Translation: A Multi-Task
Learning Approach", section 3). A decoder cannot foresee the words of such a target from those before them. So it learns
to look at the source. A control symbol before the source names the task.
"""

from nmt.corpus.modifiers import Draw
from nmt.corpus.reader import Pair
from nmt.corpus.word_links import WordLinks, split_line

_REPLACED = 0.5
"""Share of the aligned words that are replaced, α of the paper."""


def reversed_words(pair: Pair) -> Pair:
    """Turn the order of the target's words round."""
    words, space = split_line(pair.target)
    return Pair(pair.source, space.join(reversed(words)))


def monotone_words(pair: Pair, links: WordLinks) -> Pair:
    """Put the target's words into the order of the source words that they translate.

    A word that translates none follows the word before it; such words at the beginning stay there.
    """
    (source, _), (target, space) = map(split_line, pair)
    places: list[int] = []
    for link in links.links(source, target):
        places.append(link if link is not None else places[-1] if places else -1)
    order = sorted(range(len(target)), key=places.__getitem__)
    return Pair(pair.source, space.join(target[j] for j in order))


def replaced_words(pair: Pair, links: WordLinks, draw: Draw) -> Pair:
    """Replace half of the words that are linked one to one, each with its translation, by random lexicon entries."""
    (source, source_space), (target, target_space) = map(split_line, pair)
    places = links.links(source, target)
    for j, i in enumerate(places):
        if i is not None and places.count(i) == 1 and draw() < _REPLACED and links.entries:
            source[i], target[j] = links.entries[int(draw() * len(links.entries))]
    return Pair(source_space.join(source), target_space.join(target))
