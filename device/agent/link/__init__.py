"""The way to the gateway: MQTT, when to connect, and what comes down."""
