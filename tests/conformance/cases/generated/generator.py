"""A sweep with every form of labels and names, drawn from the study's env and the arguments."""

import itertools
import random

from maestrowf.datastructures.core import ParameterGenerator


def get_custom_generator(env, **kwargs):
    draw = random.Random(env.find("SEED").value)  # 42 and "42" give different numbers
    procs = [2**n for n in range(int(kwargs["COUNT"]))]
    rows = list(itertools.product(procs, [True, None], [env.find("WORD").value, 1.5]))
    p_gen = ParameterGenerator()
    p_gen.add_parameter("PROCS", [row[0] for row in rows], "procs-%%")
    p_gen.add_parameter("NAMED", [row[1] for row in rows], "%%.n", "another name")
    p_gen.add_parameter("DRAWN", [draw.randrange(10**6) for _ in rows])
    p_gen.add_parameter("LISTED", [row[2] for row in rows], [f"row{n}" for n, _ in enumerate(rows)])
    return p_gen
