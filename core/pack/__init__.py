"""What runs inside an allocation that many instances share: a leader on its first node, a worker on each node.

Nothing but the standard library and this room is imported here: it starts on compute nodes, many times over.
"""
