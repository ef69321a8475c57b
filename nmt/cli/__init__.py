"""The console commands: nmt-train, nmt-translate and nmt-evaluate."""
