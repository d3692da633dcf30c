"""The HTTP interface, docs/centre.md; its OpenAPI description is at /api/openapi.json."""
