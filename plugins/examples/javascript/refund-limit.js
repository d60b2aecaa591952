// A rule in JavaScript: refunds above the limit need a person.

const LIMIT = 500;

export const rule = {
  appliesTo() {
    return ["refund.*"];
  },

  evaluate(action) {
    let amount;
    try {
      ({ amount } = JSON.parse(action.input));
    } catch (error) {
      throw { code: "invalid", detail: `a refund is a JSON object: ${error}`, retryAfterMs: undefined };
    }
    if (!Number.isFinite(amount) || amount <= 0) {
      return { tag: "deny", val: "a refund's amount is a number above 0" };
    }
    if (amount <= LIMIT) {
      return { tag: "allow" };
    }
    return { tag: "escalate", val: { reason: `a refund of more than ${LIMIT}`, role: "owner", dueMs: undefined } };
  },
};
