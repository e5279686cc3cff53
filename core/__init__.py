"""The engine: reads a study, plans it, and runs it on Slurm or on this machine. Does not know the screen."""

if __name__ != "mtui.core":  # a second copy of every class: mtui.core.X would not be core.X
    raise ImportError(f"this folder is the package mtui.core, not {__name__}: import mtui.core")
