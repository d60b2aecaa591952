"""A rule in Python: refunds above the limit need a person."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.rule import Action, Escalation, Verdict, Verdict_Allow, Verdict_Deny, Verdict_Escalate
from wit_world.imports.types import Problem

LIMIT = 500


class Rule(exports.Rule):
    def applies_to(self) -> list[str]:
        return ["refund.*"]

    def evaluate(self, action: Action) -> Verdict:
        try:
            amount = json.loads(action.input)["amount"]
        except (ValueError, KeyError, TypeError) as error:
            raise Err(Problem("invalid", f"a refund names its amount: {error!r}", None))
        # A truth value is a number to Python, and no amount.
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not amount > 0:
            return Verdict_Deny("a refund's amount is a number above 0")
        if amount <= LIMIT:
            return Verdict_Allow()
        return Verdict_Escalate(Escalation(f"a refund of more than {LIMIT}", "owner", None))
