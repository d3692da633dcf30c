"""What the agent makes of its sensors' bytes and voltages.

Bytes and a time come in, values and counters come out; nothing here touches hardware. A receiver's
sentences go from `receiver` through `nmea` and `sentence` to `gnss` (with `satellites` and `utc`) or
`ais` (with `ais_parts` and `ais_messages`).
"""
