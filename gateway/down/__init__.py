"""What goes down to devices: acknowledgements, commands, updates."""
