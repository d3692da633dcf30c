# What this board's firmware has frozen.
include("../common/manifest.py")
freeze("modules")
package("agent", base_path="../../../build/safe/nucleo_f767zi")  # made first, see ../README.md
