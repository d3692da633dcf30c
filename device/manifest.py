# The agent frozen into a firmware, all profiles: include("…/device/manifest.py"). Needs nothing of
# micropython-lib. device/boards has whole board definitions.
metadata(
    description="Fairway's device agent: telemetry of buoys and shore power.", version="0.1.0"
)
package("agent")
