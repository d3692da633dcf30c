"""`fairway gateway`: its actions on the command line."""
