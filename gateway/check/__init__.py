"""`fairway gateway check`: whether all that a gateway needs is there."""
