"""Events, the state that they add up to, and what to do next. Pure: no clock, no file, no process."""
