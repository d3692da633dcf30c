"""Updates: what is offered, its signature, its chunks, and the slot it is unpacked into."""
