"""The configuration files of nmt-train, shipped as the package ``nmt.conf``."""
