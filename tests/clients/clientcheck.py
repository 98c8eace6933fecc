"""One line per check; the process fails if one of them did."""

import json
import sys
import traceback

_failed = 0


def endpoints():
    with open(sys.argv[1], encoding="utf-8") as file:
        told = json.load(file)
    told["api"] = {service["id"]: service["api"] for service in told["services"]}
    return told


def check(name):
    """Runs the decorated function at once and reports it."""

    def run(function):
        global _failed
        try:
            function()
            print(f"ok {name}", flush=True)
        except Exception as error:
            _failed += 1
            print(f"not ok {name}: {type(error).__name__}: {error}", flush=True)
            traceback.print_exc()
        return function

    return run


def skip(name, reason):
    print(f"skipped {name}: {reason}", flush=True)


def end():
    sys.exit(1 if _failed else 0)
