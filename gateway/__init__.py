"""The gateway: takes records in, keeps them, and hands them on. Journal first (DESIGN §5)."""
