"""Allocations that instances share: requested, given their instances, tracked until they are over."""
