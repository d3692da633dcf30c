"""Ways into the gateway."""
