"""All combinations of dice and sides, for generated.yaml. Maestro and mtui call get_custom_generator."""

from itertools import product

from maestrowf.datastructures.core import ParameterGenerator


def get_custom_generator(env, **kwargs):
    """The rows; `env` has the variables of the study, `kwargs` what --pargs gives: texts such as "1,2"."""
    dice = kwargs.get("DICE", "1,2,3").split(",")
    sides = kwargs.get("SIDES", "4,6,20").split(",")
    rows = list(product(dice, sides))
    generator = ParameterGenerator()
    generator.add_parameter("DICE", [int(row[0]) for row in rows], "DICE.%%")
    generator.add_parameter("SIDES", [int(row[1]) for row in rows], "SIDES.%%")
    return generator
