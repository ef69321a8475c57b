"""Runs inside JoeyNMT's Python: train with its own command line, with a meter before every update.

python joey_train.py '{"config": FILE, "warm_up": N, "updates": N, "result": FILE}'
"""

import json
import sys

from meter import Positions, UpdateMeter


def main() -> None:
    """Train until the meter has seen enough."""
    request = json.loads(sys.argv[1])
    meter = UpdateMeter(warm_up=request["warm_up"], updates=request["updates"], result=request["result"])
    sys.argv = ["joeynmt", "train", request["config"], "--skip-test"]
    from joeynmt.__main__ import main as command
    from joeynmt.training import TrainManager

    update = TrainManager._train_step

    def metered(manager, batch, *others, **options):  # type: ignore[no-untyped-def]
        pad = manager.model.pad_index
        counted = (count for ids in (batch.src, batch.trg) for count in (int(ids.ne(pad).sum()), ids.numel()))
        meter.begin(Positions(*counted), parameters=sum(p.numel() for p in manager.model.parameters()))
        return update(manager, batch, *others, **options)

    TrainManager._train_step = metered
    command()


if __name__ == "__main__":
    main()
