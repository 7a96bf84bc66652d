"""Makes sandboxes without a container engine: one launcher process per worker, and the zygotes that it keeps.

This file stays empty of imports: `agent` is run by other, older Pythons, which must not load the node's modules.
"""
