"""nmt-train: Hydra's overrides and errors on one side, dataclasses on the other. No other room knows Hydra."""
