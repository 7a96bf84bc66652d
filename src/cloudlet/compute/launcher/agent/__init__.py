"""What runs outside the node: the launcher's own process, its zygotes, and the first moments of every sandbox.

The picture, from the outside in:

    node ── launcher (this package, `python -I -S`) ── zygote of python3.9, of python3.12 ..., of `provided`
                                                          └── sandboxes: init (pid 1) and the runtime (pid 2)

- The **launcher** (`main`) makes everything that a sandbox needs and that can be made ahead or outside of it: a network
  namespace with two listening sockets (`network`), a user namespace (`identity`), a cgroup (`cgroups`), the mounts of
  the function's code (`mounts`).
- A **zygote** (`zygote`) lives in a read-only root of its own (`rootfs`), has its runtime loaded, and forks.
- The **child** (`enter`) moves into its namespaces, gives up every right and becomes the runtime
  (`python_runtime`, `custom_runtime`).

Everything here is standard library only, and works with Python 3.9: a zygote is a process of the function's own Python.
"""
