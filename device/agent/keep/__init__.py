"""What the agent keeps: records until they are acknowledged, and its boot number."""
