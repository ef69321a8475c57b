"""nmt-train: Hydra's overrides and errors on one side, dataclasses on the other. Nobody else knows Hydra."""
