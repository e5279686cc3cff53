"""What runs inside an allocation that many instances share: a leader on its first node, a worker on each node.

It imports the standard library and core.claims alone: it starts on compute nodes, many times over.
"""
