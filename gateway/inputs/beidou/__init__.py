"""BeiDou short messages, by a command terminal."""
