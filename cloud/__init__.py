"""The monitoring centre: what gateways deliver, kept, judged by the registry, and shown.

command · app       the process: `fairway centre`
config              TOML in, errors for people out
registry/           assets, devices, and which served which from when to when
ingest · rebuild    records in; the live view worked out again after the registry changed
live · hub          changes, one at a time, told to everyone who is listening
store/              the centre's own tables (SQLite or PostgreSQL)
series/             history, read from the time-series store that the gateway writes
values · views/     what the API and the page show, in natural units
api/ · web/         HTTP, and the page
"""
