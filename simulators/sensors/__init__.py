"""What the simulated sensors say on their lines."""
