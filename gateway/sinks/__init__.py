"""Ways out of the gateway: each reads the journal behind a cursor of its own."""
