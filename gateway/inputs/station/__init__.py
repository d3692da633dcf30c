"""AIS and NMEA stations, and aids that speak by AIS."""
