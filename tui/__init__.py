"""The user interface: views, reports, the command line and the app."""

if __name__ != "mtui.tui":  # a second copy of every class: mtui.tui.X would not be tui.X
    raise ImportError(f"this folder is the package mtui.tui, not {__name__}: import mtui.tui")
