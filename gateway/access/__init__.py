"""Who may speak: TLS, and devices that are revoked."""
