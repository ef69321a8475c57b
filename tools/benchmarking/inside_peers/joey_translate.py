"""Runs inside JoeyNMT's Python: translate with the best checkpoint of a configuration's model_dir.

python joey_translate.py REQUEST, see translating.py
"""

from pathlib import Path

import torch
from translating import measure, request


def main() -> None:
    """Load, translate and tell."""
    asked = request()
    torch.set_num_threads(asked["threads"])
    from joeynmt.config import load_config, parse_global_args
    from joeynmt.prediction import predict, prepare

    arguments = parse_global_args(load_config(Path(asked["model"])), rank=0, mode="translate")
    search = arguments.test._replace(
        beam_size=asked["beam"],
        batch_size=asked["batch"],
        batch_type="sentence",
        max_output_length=asked["max_length"],
        n_best=1,
        return_prob="none",
    )
    model, _, _, text = prepare(arguments, rank=0, mode="translate")

    def translate(lines: list[str]) -> tuple[list[str], int]:
        text.reset_cache()
        for line in lines:
            text.set_item(line)
        _, _, found, tokens, _, _ = predict(
            model=model,
            data=text,
            compute_loss=False,
            device=arguments.device,
            n_gpu=0,
            normalization="none",
            num_workers=0,
            args=search,
            autocast=arguments.autocast,
        )
        return found, sum(len(pieces) for pieces in tokens)

    measure(asked, translate)


if __name__ == "__main__":
    main()
