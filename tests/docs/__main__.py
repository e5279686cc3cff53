"""Writes the generated parts of the documents again: python -m tests.docs"""

from __future__ import annotations

from tests.docs.markdown import documents, read
from tests.docs.parts import renewed, write

for path in documents():
    if renewed(path) != read(path):
        write(path)
        print(path)
