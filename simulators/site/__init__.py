"""A whole site on one machine: broker, gateway, centre, estuary and virtual boards (`fairway run`)."""
