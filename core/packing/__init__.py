"""The programs that run in a shared allocation: a leader on its first node, a worker on each node.

Imports only the standard library, core.claims and core.errors, since it starts on many compute nodes.
"""

import sys

if sys.argv[:1] in (["-m"], ["-c"]):  # a leader or worker starts: before it imports what PYTHONPATH may replace
    from ..search_path import search_python_path_last

    search_python_path_last()
