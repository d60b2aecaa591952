package polity

import rego.v1

default verdict := {"verdict": "deny", "reason": "only refunds in EUR are made here"}

verdict := "allow" if {
	is_refund
	input.input.amount <= limit
}

verdict := {
	"verdict": "escalate",
	"role": "bookkeeper",
	"due_ms": 172800000,
	"reason": sprintf("above %v EUR a second pair of eyes decides", [limit]),
} if {
	is_refund
	input.input.amount > limit
	input.input.amount <= 500
}

is_refund if {
	startswith(input.kind, "refund.")
	input.input.currency == "EUR"
	is_number(input.input.amount)
}

limit := 20 if startswith(input.actor, "agent:")

limit := 50 if not startswith(input.actor, "agent:")
