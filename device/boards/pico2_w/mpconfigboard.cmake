# Raspberry Pi Pico 2 W: as the port's own board, with our manifest.
set(PICO_BOARD "pico2_w")
set(MICROPY_PY_LWIP ON)
set(MICROPY_PY_NETWORK_CYW43 ON)
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
set(MICROPY_HW_FLASH_STORAGE_BYTES 2621440)
