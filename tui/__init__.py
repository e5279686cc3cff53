"""The user interface: views, reports, the command line and the app."""

if __name__ != "mtui.tui":  # else each class would exist twice: mtui.tui.X is not tui.X
    raise ImportError(f"this folder is the package mtui.tui, not {__name__}: import mtui.tui")
