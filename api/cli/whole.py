"""The whole command line, every command of it loaded."""

from api.cli.main import assemble

app = assemble()
