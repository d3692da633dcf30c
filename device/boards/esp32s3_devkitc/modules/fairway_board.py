"""Says that this firmware is ours; `toolkit.firmware` finds MARKER in an image too."""

MARKER = b"fairway-board:1:esp32s3-devkitc:"
