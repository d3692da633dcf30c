# What this board's firmware has frozen. Not the port's whole `modules`: its _boot.py would win or
# clash with ours.
include("../common/manifest.py")
freeze("$(PORT_DIR)/modules", ("flashbdev.py", "inisetup.py"))
freeze("modules")
package("agent", base_path="../../../build/safe/esp32s3_devkitc")  # made first, see ../README.md
