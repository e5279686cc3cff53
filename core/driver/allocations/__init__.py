"""Shared allocations: requested, given their instances, tracked until they are over."""
