// A strategy in JavaScript: an index for every order that is asked for often, so that nobody has to sort.
//
// It sees counts and shapes of queries, never a row. What it proposes is judged, built hidden and tried by the host; a
// useless index is taken back, whatever is promised here.

const CALLS_A_DAY = 1000;

export const strategy = {
  propose(observations) {
    const seen = JSON.parse(observations.seen);
    const collections = new Map(seen.collections.map((known) => [known.collection, known]));
    const proposals = new Map();
    for (const query of seen.queries) {
      const collection = collections.get(query.collection);
      const fields = query.order.map((order) => order.path);
      const isOften = query.calls_per_day >= CALLS_A_DAY && query.examined_per_call > 10 * query.returned_per_call;
      const isPlain = fields.length > 0 && query.predicates.length === 0 && query.group_by.length === 0;
      if (!collection || !isOften || !isPlain) {
        continue;
      }
      const there = collection.indexes.some((index) => fields.every((field, at) => index.fields[at] === field));
      if (there) {
        continue;
      }
      proposals.set(`${query.collection}(${fields})`, {
        mutation: { tag: "create-index", val: { collection: query.collection, fields } },
        reason: `${query.collection} is asked for in the order of ${fields.join(", ")} ${Math.round(query.calls_per_day)} times a day`,
        evidence: JSON.stringify({ query: query.id, calls_per_day: Math.round(query.calls_per_day) }),
        benefitUsPerDay: BigInt(Math.round(query.calls_per_day * query.us_per_call * 0.5)),
        writeCostUsPerDay: BigInt(Math.round(collection.writes_per_day * 10)),
        storageBytes: BigInt(collection.rows * 24),
      });
    }
    return [...proposals.values()];
  },
};
