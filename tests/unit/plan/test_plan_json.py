"""The plan as programs read it."""

from __future__ import annotations

import json

from mtui.core.plan.plan_json import plan_as_json
from tests.unit.planning import HEAD, SLURM, plan_of


def test_the_plan_as_json() -> None:
    text = f"""{HEAD}{SLURM}
study:
- {{name: a, description: d, run: {{cmd: echo $(P), restart: again}}}}
- {{name: b, description: d, run: {{cmd: x, procs: 1, depends: [a_*]}}}}
global.parameters: {{P: {{values: [1, 2], label: P.%%}}}}
"""
    found = plan_as_json(plan_of(text))
    assert json.loads(json.dumps(found)) == found
    rows = found.pop("instances")
    assert found == {"version": 1, "study": {"name": "t", "description": "d", "directory": "/out"}}
    assert isinstance(rows, list)
    assert rows[0] == {
        "name": "a_P.1",
        "step": "a",
        "workspace": "a/P.1",
        "parents": [],
        "params": {"P": "1"},
        "scheduled": False,
        "skipped": False,
        "script": "a/P.1/a_P.1.slurm.sh",
        "body": "#!/bin/bash\n\necho 1\n",
        "restart": "#!/bin/bash\n\nagain\n",
    }
    assert (rows[2]["parents"], rows[2]["scheduled"], rows[2]["restart"]) == (["a_P.1", "a_P.2"], True, None)
