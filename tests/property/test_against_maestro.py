"""Random studies plan as Maestro itself plans them: names, edges, workspaces, parameters, scripts.

MTUI_EXAMPLES=2000 in the environment looks at more of them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import yaml
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from tests.conformance.plans import differences, maestro_rows, our_rows

from .specs import Spec, labels_are_unambiguous, specs

EXAMPLES = int(os.environ.get("MTUI_EXAMPLES", "150"))
LARGE = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=LARGE)
@given(spec=specs(), hashws=st.booleans())
def test_random_studies_plan_as_with_maestro(shared: Path, spec: Spec, hashws: bool) -> None:
    assume(labels_are_unambiguous(spec))
    with tempfile.TemporaryDirectory(prefix="mtui-spec-") as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(yaml.safe_dump(spec, sort_keys=False))
        theirs = maestro_rows(shared, path, hashws=hashws)
        ours, _ = our_rows(path, hashws=hashws)
    event(f"instances: {min(len(theirs), 20) // 5 * 5}+, scheduled: {any(row['scheduled'] for row in theirs)}")
    event(f"restart: {any(row['restart'] for row in theirs)}")
    event(f"srun: {any('srun' in row['body'] for row in theirs)}, funnel: {'*' in str(spec['study'])}")
    event(f"workspace of a dependency: {'.workspace)' in str(spec['study'])}")
    assert differences(theirs, ours) == []
