"""The console commands: nmt-train, nmt-translate, nmt-evaluate and nmt-export."""
