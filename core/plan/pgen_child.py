"""Runs a user's parameter generator file in a separate process, and returns its rows as JSON.

`pgen.py` starts it as a script, with the Python that the user chose: so this file imports nothing of mtui. It reads a
request from stdin and writes one line of JSON to the file descriptor given as first argument; the caller decides where
output of the user's code goes.
"""

# pyright: basic

import json
import os
import sys
import traceback
import types
from pathlib import Path


class Combination:
    """One row of parameters, with the interface of Maestro's class of the same name."""

    def __init__(self, token="$"):
        self._token = token
        self._params, self._labels, self._names = {}, {}, {}

    def _key(self, key, attribute=""):
        return f"{self._token}({key}{attribute})"

    def add(self, key, name, value, label):
        self._params[self._key(key)] = value
        self._labels[self._key(key, ".label")] = label
        self._names[self._key(key, ".name")] = name

    def get_param_string(self, params):
        return ".".join(self._labels[self._key(key, ".label")] for key in sorted(params))

    def get_param_values(self, params):
        return ((key, self._params[self._key(key)]) for key in params)

    def apply(self, item):
        for group in (self._labels, self._params, self._names):
            for token, value in group.items():
                item = item.replace(token, str(value))
        return item

    def __str__(self):
        return ".".join(self._labels.values())


class ParameterGenerator:
    """Columns of values and their labels, with the interface of Maestro's class of the same name."""

    def __init__(self, token="$", ltoken="%%"):
        self.parameters, self.labels, self.names = {}, {}, {}
        self.token, self.label_token = token, ltoken
        self.length = 0

    def add_parameter(self, key, values, label=None, name=None):
        if self.length and len(values) != self.length:
            raise ValueError(f"parameter '{key}' has {len(values)} values, the others have {self.length}")
        if key in self.parameters:
            print(f"parameter '{key}' is added twice; the later values count", file=sys.stderr)
        self.length = len(values)
        self.parameters[key] = values
        self.labels[key] = label or f"{key}.{self.label_token}"
        self.names[key] = name or key

    def get_combinations(self):
        for row in range(self.length):
            combination = Combination()
            for key, values in self.parameters.items():
                label = self.labels[key]
                text = label[row] if isinstance(label, list) else label.replace(self.label_token, str(values[row]))
                combination.add(key, self.names[key], values[row], text)
            yield combination

    def get_used_parameters(self, step):
        text = repr(step.__dict__)
        return {key for key in self.parameters if f"{self.token}({key}" in text}

    def get_metadata(self):
        return {
            str(combination): {
                "params": {key: combination._params[f"$({key})"] for key in self.parameters},
                "labels": {key: combination._labels[f"$({key}.label)"] for key in self.parameters},
            }
            for combination in self
        }

    def __iter__(self):
        return self.get_combinations()

    def __bool__(self):
        return bool(self.parameters)


class Variable:
    """An entry of the study's env: `.name` and `.value`."""

    def __init__(self, name, value, token="$"):
        self.name, self.value, self.token = name, value, token

    def __str__(self):
        return f"{self.token}({self.name})"


class StudyEnvironment:
    """The study's env as passed to a generator: `find(name)` returns an entry or None."""

    def __init__(self, entries):
        self._entries = {name: Variable(name, value) for name, value in entries.items()}

    def find(self, key):
        return self._entries.get(key)


def offer_maestro_modules():
    """Make `from maestrowf.datastructures.core import ParameterGenerator` work if Maestro is not installed."""
    try:
        import maestrowf.datastructures.core  # noqa: F401
    except ImportError:
        pass
    else:
        return
    names = {"ParameterGenerator": ParameterGenerator, "Combination": Combination, "StudyEnvironment": StudyEnvironment}
    modules = {
        "maestrowf": {},
        "maestrowf.datastructures": {},
        "maestrowf.datastructures.core": names,
        "maestrowf.datastructures.core.parameters": names,
        "maestrowf.datastructures.environment": {"Variable": Variable},
    }
    for path, members in modules.items():
        module = types.ModuleType(path)
        module.__path__ = []
        vars(module).update(members)
        sys.modules[path] = module
        parent, _, name = path.rpartition(".")
        if parent:
            setattr(sys.modules[parent], name, module)


def generate(request):
    """Run the user's file. Return the columns of its generator, everything as text."""
    path = request["file"]
    module = types.ModuleType("custom_gen")
    module.__file__ = path
    sys.modules["custom_gen"] = module
    exec(compile(Path(path).read_bytes(), path, "exec"), vars(module))  # bytes: the file may name its encoding
    make = getattr(module, "get_custom_generator", None)
    if make is None:
        raise LookupError("the file defines no function get_custom_generator(env, **kwargs)")
    arguments = dict(request["pargs"], OUTPUT_PATH=request["output_path"])
    arguments["SPECROOT"] = Variable("SPECROOT", request["spec_root"])
    generator = make(StudyEnvironment(request["env"]), **arguments)
    if not (hasattr(generator, "parameters") and hasattr(generator, "labels")):
        raise TypeError(f"get_custom_generator returned {type(generator).__name__}, not a ParameterGenerator")
    mark = getattr(generator, "label_token", "%%")
    columns = []
    for key, values in generator.parameters.items():
        texts = [str(values[row]) for row in range(len(values))]
        label = generator.labels[key]
        labels = list(map(str, label)) if isinstance(label, list) else [label.replace(mark, text) for text in texts]
        if len(labels) != len(texts):
            raise ValueError(f"parameter '{key}' has {len(texts)} values but {len(labels)} labels")
        columns.append({"key": str(key), "name": str(generator.names[key]), "values": texts, "labels": labels})
    return columns


def own_lines(error):
    """Format an error with the traceback lines of the user's code, without the frames of this file."""
    summary = traceback.TracebackException.from_exception(error)
    frames = [frame for frame in summary.stack if frame.filename != __file__]
    lines = []
    for frame in frames:
        lines.append(f"{frame.filename}:{frame.lineno}: in {frame.name}")
        if frame.line:
            lines.append(f"    {frame.line}")
    lines += [line.rstrip("\n") for line in summary.format_exception_only()]
    return lines


def main():
    answer_to = int(sys.argv[1])
    if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
        del sys.path[0]  # this folder: its modules must not shadow the user's
    request = json.loads(sys.stdin.buffer.read())
    for key in ("file", "output_path", "spec_root"):  # paths in UTF-8, whatever the encoding of this process
        request[key] = os.fsdecode(request[key].encode("utf-8", "surrogateescape"))
    offer_maestro_modules()
    try:
        answer = {"parameters": generate(request)}
    except (Exception, SystemExit) as error:
        answer = {"error": own_lines(error)}
    with os.fdopen(answer_to, "w", encoding="utf-8") as out:
        out.write(json.dumps(answer) + "\n")  # the newline marks the answer as complete


if __name__ == "__main__":
    main()
