"""Runs inside OpenNMT-py's Python: train with its own command line, with a meter before every update.

python onmt_train.py '{"config": FILE, "warm_up": N, "updates": N, "result": FILE}'
"""

import json
import sys

from meter import Positions, UpdateMeter


def main() -> None:
    """Train until the meter has seen enough."""
    request = json.loads(sys.argv[1])
    meter = UpdateMeter(warm_up=request["warm_up"], updates=request["updates"], result=request["result"])
    sys.argv = ["onmt_train", "-config", request["config"]]
    from onmt.bin import train
    from onmt.trainer import Trainer

    update = Trainer._gradient_accumulation

    def metered(trainer, batches, *others, **options):  # type: ignore[no-untyped-def]
        pad = trainer.train_loss.padding_idx
        # (B, S, features) and (B, 1 + T, features): targets begin with a start symbol, which nothing predicts.
        sources = [batch["src"][:, :, 0] for batch in batches]
        targets = [batch["tgt"][:, 1:, 0] for batch in batches]
        counted = (
            sum(count)
            for ids in (sources, targets)
            for count in ([int(part.ne(pad).sum()) for part in ids], [part.numel() for part in ids])
        )
        meter.begin(Positions(*counted), parameters=sum(p.numel() for p in trainer.model.parameters()))
        return update(trainer, batches, *others, **options)

    Trainer._gradient_accumulation = metered
    train.main()


if __name__ == "__main__":
    main()
