"""First file a board runs after a reset. Kept empty of work: whatever fails here, fails every time."""
