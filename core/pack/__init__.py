"""Forwards to `core.packing`: allocations that release 0.1 requested start these modules by their old names.

To be removed with release 0.3.
"""
