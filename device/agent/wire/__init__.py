"""The wire contract: what a record is, on every link and on every disk.

`schema` is the one table everything else is made from; `encode` runs on the board; `decode`,
`topics` and `document` are host only (`document` generates config/wire.cddl and docs/wire.md).
"""
