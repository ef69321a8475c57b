"""Runs inside OpenNMT-py's Python: translate with a checkpoint, subwords around it.

python onmt_translate.py REQUEST, see translating.py
"""

import torch
from translating import measure, request, subword_model


def main() -> None:
    """Load, translate and tell."""
    asked = request()
    load = torch.load
    # Its checkpoints hold more than tensors, which torch refuses by default since 2.6.
    torch.load = lambda *words, **options: load(*words, **{**options, "weights_only": False})
    torch.set_num_threads(asked["threads"])
    from onmt.inference_engine import InferenceEnginePY
    from onmt.opts import translate_opts
    from onmt.utils.parse import ArgumentParser

    parser = ArgumentParser()
    translate_opts(parser)
    words = ["-model", asked["model"], "-src", asked["source"], "-output", asked["result"] + ".raw"]
    words += ["-beam_size", asked["beam"], "-batch_size", asked["batch"], "-batch_type", "sents"]
    words += ["-max_length", asked["max_length"], "-length_penalty", "avg"]
    if asked["beam"] == 1:
        words += ["-random_sampling_topk", "1"]  # its greedy search; a beam of one is slower
    options = parser.parse_args([str(word) for word in words])
    ArgumentParser.validate_translate_opts(options)
    ArgumentParser._get_all_transform_translate(options)  # the engine expects what its command does first
    ArgumentParser._validate_transforms_opts(options)
    ArgumentParser.validate_translate_opts_dynamic(options)
    engine = InferenceEnginePY(options)
    subwords = subword_model(asked["subwords"])

    def translate(lines: list[str]) -> tuple[list[str], int]:
        sources = [" ".join(pieces) for pieces in subwords.encode(lines, out_type=str)]
        _, found = engine.infer_list(sources)
        best = [hypotheses[0].split() for hypotheses in found]
        return subwords.decode(best), sum(len(pieces) + 1 for pieces in best)

    measure(asked, translate)


if __name__ == "__main__":
    main()
