"""Runs inside CTranslate2's Python: translate with a converted model, subwords around it.

python ctranslate2_translate.py REQUEST, see translating.py
"""

import ctranslate2
from translating import measure, request, subword_model


def main() -> None:
    """Load, translate and tell."""
    asked = request()
    threads, batch = asked["threads"], asked["batch"]
    # In bulk a batch for each core is the fastest that it has; one sentence can only be shared among them.
    shares = {"inter_threads": threads, "intra_threads": 1} if batch > 1 else {"intra_threads": threads}
    translator = ctranslate2.Translator(asked["model"], device="cpu", compute_type=asked["precision"], **shares)
    subwords = subword_model(asked["subwords"])
    options = {"beam_size": asked["beam"], "max_decoding_length": asked["max_length"], "max_batch_size": batch}

    def translate(lines: list[str]) -> tuple[list[str], int]:
        sources = subwords.encode(lines, out_type=str)
        # max_batch_size sorts what is given by length and cuts it.
        found = (
            translator.translate_batch(sources, **options)
            if batch > 1
            else [translator.translate_batch([source], **options)[0] for source in sources]
        )
        best = [one.hypotheses[0] for one in found]
        return subwords.decode(best), sum(len(pieces) + 1 for pieces in best)

    measure(asked, translate)


if __name__ == "__main__":
    main()
