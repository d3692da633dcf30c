"""What a gateway keeps, and what it knows of what it kept."""
