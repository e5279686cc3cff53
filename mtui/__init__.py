"""mtui runs and watches workflow studies on Slurm clusters and on this machine.

`core` and `tui` are links to the folders of that name at the top of the repository, so that `mtui.core` and
`mtui.tui` are found by Python, type checkers and editors from a clone as from a wheel.
"""

__version__ = "0.1.0"
