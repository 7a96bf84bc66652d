"""The command line. Each command's module is loaded with its heavy parts only when it runs."""

from cloudlet.cli.app import main

__all__ = ["main"]
