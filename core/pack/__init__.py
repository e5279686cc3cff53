"""Forwards to `core.packing`, its name since version 0.2: allocations that version 0.1 requested start these modules.

To be removed with version 0.3.
"""
