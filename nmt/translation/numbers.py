"""Numbers of a line that its translation lacks: they are found, and protected when it is translated again."""

from collections.abc import Sequence

from nmt.text.numbers import Number, localised, missing_numbers
from nmt.translation.protection import Attempt, ProtectedLine
from nmt.translation.request import Request
from nmt.translation.terms import TermReader


class NumberCheck:
    """Compares the numbers of lines and translations."""

    def __init__(self, terms: TermReader, *, source: str, target: str) -> None:
        """Take what finds terms and protects lines, and both languages, in which numbers are written."""
        self._terms, self._languages = terms, {"source": source, "target": target}

    def missing(self, request: Request, attempt: Attempt) -> list[Number]:
        """List the numbers that a translation lacks, but for those that are part of a term."""
        marked = attempt.line.marked
        numbers = missing_numbers(marked, attempt.hypotheses[0].text)
        terms = self._terms.find(request, marked) if numbers else []
        return [each for each in numbers if not any(term.start <= each.start < term.end for term in terms)]

    def protect(self, request: Request, line: ProtectedLine, numbers: Sequence[Number]) -> ProtectedLine:
        """Protect numbers of a line too."""
        languages = self._languages | ({"target": request.to} if request.to else {})
        written = (localised(number.text, **languages) for number in numbers)
        places = (line.origin(number.start, number.end) for number in numbers)
        return self._terms.protect(request, also=list(zip(places, written, strict=True)))
