"""The programs that run in a shared allocation: a leader on its first node, a worker on each node.

Imports only the standard library, core.claims and core.errors, since it starts on many compute nodes.
"""
