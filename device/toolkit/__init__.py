"""The technician's tool, and the `fairway` command that every package adds its subcommands to."""
