# What this board's firmware has frozen. Of the port's modules only what networks need; its _boot.py
# formats what it cannot mount.
include("../common/manifest.py")
freeze("modules")
package("agent", base_path="../../../build/safe/pico2_w")  # made first, see ../README.md
