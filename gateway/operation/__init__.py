"""For whoever runs a gateway: logs, metrics, health."""
