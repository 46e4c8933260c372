"""The virtual bench: QEMU guests with Debian's kernels that stand in for boards and a bench host."""
